"use strict";
const words = {
  en: {
    marks: ["Which is better?", "Accuracy of A", "Fluency of A", "Accuracy of B", "Fluency of B"], sides: ["A is better", "Tie", "B is better"],
    scale: ["Accuracy", "Fluency"], low: "bad", high: "very good", count: (n, all) => `${n} of ${all} judged`, saved: "Saved.", lost: "Not saved: ",
    gone: "ft is not reached. Your vote is kept here: when ft review runs again at this address, press Enter.", missing: "Choose the better answer and give all four marks.",
    keys: [["A ←", "the left (upper) answer is better"], ["B →", "the right (lower) answer is better"], ["T", "a tie"], ["1 – 5", "a mark, from bad to very good: accuracy and fluency of A, then of B"],
      ["Backspace", "one step back"], ["Enter", "save, and on to the next question"], ["P", "previous question"], ["R", "reference answer"], ["?", "this help"]],
    sums: { judged: "Questions judged", better: "Better", rate: "Win rate of the tuned model", accuracy: "Accuracy, of 5", fluency: "Fluency, of 5", agreement: "Agreement" },
    tuned: "tuned", base: "base", tie: "tie", decided: "of decided questions", verdicts: {}, of: "of", readers: n => n === 1 ? "1 reader" : n + " readers", votes: n => n === 1 ? "1 vote" : n + " votes", same: "the same", interval: "95% interval", difference: "difference", nobody: "one reader only",
  },
  zh: {
    title: "哪个回答更好？", run: "运行", advice: "回答由语言模型生成，仅供测试软件，不构成医疗建议。",
    intro: "两个模型回答了同样的问题。您会并排看到两个回答，但不知道哪个来自哪个模型；左右位置逐题变化。", name: "您的名字，用于区分各位评审的投票", begin: "开始",
    back: "上一题", help: "按键", question: "问题", reference: "参考答案", answer: "回答", save: "保存", thanks: "所有题目都已评完，谢谢。", other: "换一位评审", close: "关闭",
    marks: ["哪个更好？", "A 的准确性", "A 的流畅性", "B 的准确性", "B 的流畅性"], sides: ["A 更好", "不相上下", "B 更好"],
    scale: ["准确性", "流畅性"], low: "差", high: "很好", count: (n, all) => `已评 ${n} / ${all}`, saved: "已保存。", lost: "未保存：",
    gone: "连接不到 ft。您的投票保留在此页：ft review 在同一地址重新运行后，请按 Enter。", missing: "请选出更好的回答并给出全部四项评分。",
    keys: [["A ←", "左（上）边的回答更好"], ["B →", "右（下）边的回答更好"], ["T", "不相上下"], ["1 – 5", "评分，从差到很好：先 A 的准确性与流畅性，再 B 的"],
      ["Backspace", "退回一步"], ["Enter", "保存并进入下一题"], ["P", "上一题"], ["R", "参考答案"], ["?", "本帮助"]],
    sums: { judged: "已评题目", better: "更好的是", rate: "微调模型胜率", accuracy: "准确性（满分 5）", fluency: "流畅性（满分 5）", agreement: "评审间一致性" },
    tuned: "微调", base: "原模型", tie: "平", decided: "（不计平局）", verdicts: { better: "更好", worse: "更差", "no difference shown": "未显示差异" }, of: "/", readers: n => n + " 位评审", votes: n => n + " 票", same: "相同", interval: "95% 区间", difference: "差", nobody: "只有一位评审",
  },
};
const wished = new URLSearchParams(location.search).get("lang") || navigator.language;
const language = wished.toLowerCase().startsWith("zh") ? "zh" : "en";
const say = { ...words.en, ...words[language] };
const $ = id => document.getElementById(id);
const sides = ["left", "tie", "right"];
let rater = "", question = null, total = 0, done = 0, step = 0, answers = [], busy = false;

document.documentElement.lang = language;
$("language").href = language === "zh" ? "?lang=en" : "?lang=zh";
$("language").textContent = language === "zh" ? "English" : "中文";
$("language").lang = language === "zh" ? "en" : "zh";
for (const e of document.querySelectorAll("[data-t]")) if (say[e.dataset.t]) e.textContent = say[e.dataset.t];
document.title = document.title.replace(/: .*/, ": " + document.querySelector("h1").textContent);
for (const [key, text] of say.keys) {
  const dt = document.createElement("dt"), dd = document.createElement("dd");
  for (const k of key.includes("–") ? [key] : key.split(" ")) {
    const kbd = document.createElement("kbd");
    kbd.textContent = k;
    dt.append(kbd, " ");
  }
  dd.textContent = text;
  $("keys").querySelector("dl").append(dt, dd);
}

// Five groups of buttons: which answer is better, and four marks.
const groups = [...document.querySelectorAll(".marks")].sort((a, b) => a.dataset.step - b.dataset.step);
groups.forEach((group, at) => {
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", say.marks[at]);
  const label = document.createElement("span");
  label.textContent = at ? say.scale[(at - 1) % 2] : say.marks[0];
  label.setAttribute("aria-hidden", "true");
  group.append(label);
  (at ? [1, 2, 3, 4, 5] : sides).forEach((value, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("role", "radio");
    button.textContent = at ? value : say.sides[i];
    if (at && (value === 1 || value === 5)) button.title = value === 1 ? say.low : say.high;
    button.dataset.value = value;
    button.addEventListener("click", e => {
      if (e.detail > 0) button.blur(); // by a pointer: Enter is for Save then, not for this button
      choose(at, value);
    });
    group.append(button);
  });
});

function show(part) {
  for (const id of ["start", "judge", "end"]) $(id).hidden = id !== part;
  $("status").textContent = "";
  complain("");
}

// complain says what is wrong where the reader looks: in the bar of the vote, or below everything else.
function complain(text) {
  $("refused").textContent = $("judge").hidden ? "" : text;
  $("error").textContent = $("judge").hidden ? text : "";
}

// ask calls the program; what it refuses is an error with its words.
async function ask(path, body) {
  let response;
  try {
    response = await fetch(path, body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  } catch {
    throw new Error(say.gone);
  }
  const value = await response.json().catch(() => ({ error: response.statusText }));
  if (!response.ok) throw new Error(value.error || response.statusText);
  return value;
}

async function next(number) {
  const at = number === undefined ? "" : "&number=" + number;
  try {
    take(await ask("next?rater=" + encodeURIComponent(rater) + at));
  } catch (e) {
    complain(e.message);
  }
}

function take(state) {
  ({ total, done } = state);
  question = state.question;
  if (!question) return finish();
  const vote = question.vote;
  answers = vote ? [vote.better, vote.accuracy[0], vote.fluency[0], vote.accuracy[1], vote.fluency[1]] : [];
  step = 0;
  show("judge");
  $("prompt").textContent = question.prompt;
  $("left").textContent = question.left;
  $("right").textContent = question.right;
  $("reference").open = false;
  $("reference").hidden = !question.reference;
  $("reference").querySelector("div").textContent = question.reference;
  $("count").textContent = say.count(done, total);
  $("bar").max = total;
  $("bar").value = done;
  $("back").disabled = question.number === 0;
  draw();
  scrollTo(0, 0);
}

function draw() {
  groups.forEach((group, at) => {
    group.classList.toggle("now", at === step);
    for (const b of group.querySelectorAll("button")) {
      const on = String(answers[at]) === b.dataset.value;
      b.setAttribute("aria-checked", on);
      b.tabIndex = 0;
    }
  });
  $("save").disabled = !complete();
}

const complete = () => groups.every((_, at) => answers[at] !== undefined);

function choose(at, value) {
  answers[at] = value;
  const open = groups.findIndex((_, i) => answers[i] === undefined);
  step = at + 1 < groups.length && answers[at + 1] === undefined ? at + 1 : open >= 0 ? open : groups.length;
  complain("");
  draw();
}

async function save() {
  if (busy || !question) return;
  if (!complete()) return complain(say.missing);
  busy = true;
  const [better, a, b, c, d] = answers;
  try {
    const state = await ask("vote", { rater, number: question.number, better, accuracy: [a, c], fluency: [b, d] });
    take(state);
    $("status").textContent = say.saved;
  } catch (e) {
    complain(say.lost + e.message);
  } finally {
    busy = false;
  }
}

async function finish() {
  show("end");
  $("sums").replaceChildren();
  try {
    const s = await ask("summary"), t = say.sums, percent = v => Math.round(v) + " %";
    const marks = m => m ? `${say.base} ${m.base.toFixed(2)}, ${say.tuned} ${m.tuned.toFixed(2)}, ${say.difference} ${m.difference.toFixed(2)}${m.stderr === null ? "" : " ± " + m.stderr.toFixed(2)}` : "–";
    const rows = [
      [t.judged, `${s.judged} ${say.of} ${s.questions}; ${say.votes(s.votes)}, ${say.readers(Object.keys(s.raters).length)}`],
      [t.better, `${say.tuned} ${s.tuned}, ${say.base} ${s.base}, ${say.tie} ${s.tie}`],
      [t.rate, s.win_rate === null ? "–" : `${percent(s.win_rate)} ${say.decided}; ${say.interval} ${percent(s.ci95[0])} – ${percent(s.ci95[1])}; ${say.verdicts[s.verdict] || s.verdict}, p = ${s.p.toPrecision(2)}`],
      [t.accuracy, marks(s.accuracy)], [t.fluency, marks(s.fluency)], [t.agreement, agreement(s.agreement, percent)],
    ];
    $("sums").replaceChildren(...rows.map(([name, value]) => {
      const tr = document.createElement("tr"), th = document.createElement("th"), td = document.createElement("td");
      th.scope = "row";
      th.textContent = name;
      td.textContent = value;
      tr.append(th, td);
      return tr;
    }));
  } catch (e) {
    complain(e.message);
  }
}

function agreement(a, percent) {
  if (!a) return say.nobody;
  const parts = [["Cohen κ", a.cohen_kappa], ["Fleiss κ", a.fleiss_kappa], ["Krippendorff α", a.krippendorff_alpha]].filter(p => p[1] !== null).map(p => `${p[0]} ${p[1].toFixed(2)}`);
  return [a.same === null ? "" : `${percent(a.same)} ${say.same}`, ...parts].filter(p => p).join(", ") || "–";
}

// The reader's name outlives a reload of this tab, and no more.
const remember = name => { try { sessionStorage.setItem("rater", name); } catch { /* not allowed: ask again */ } };
const remembered = () => { try { return sessionStorage.getItem("rater") || ""; } catch { return ""; } };

$("start").addEventListener("submit", e => {
  e.preventDefault();
  rater = $("name").value.trim();
  if (rater) {
    remember(rater);
    next();
  }
});
$("save").addEventListener("click", save);
$("back").addEventListener("click", () => question && question.number > 0 && next(question.number - 1));
$("last").addEventListener("click", () => total > 0 && next(total - 1));
$("help").addEventListener("click", () => $("keys").showModal());
$("other").addEventListener("click", () => {
  remember("");
  $("name").value = "";
  show("start");
  $("name").focus();
});
document.addEventListener("keydown", e => {
  if ($("judge").hidden || $("keys").open || e.ctrlKey || e.altKey || e.metaKey || e.isComposing) return;
  const key = e.key.length === 1 ? e.key.toLowerCase() : e.key;
  if (key === "Enter" && e.target.closest("#judge button, #judge summary") && e.target.id !== "save" && !complete()) return; // presses what has the focus
  const side = { a: 0, ArrowLeft: 0, t: 1, b: 2, ArrowRight: 2 }[key];
  if (side !== undefined) choose(0, sides[side]);
  else if (key >= "1" && key <= "5" && key.length === 1) step > 0 && step < groups.length ? choose(step, Number(key)) : complain(say.missing);
  else if (key === "Backspace") { if (step > 0) { step--; delete answers[step]; answers[step] = undefined; draw(); } }
  else if (key === "Enter") save();
  else if (key === "p") $("back").click();
  else if (key === "r") $("reference").open = !$("reference").open;
  else if (key === "?" || key === "h") $("keys").showModal();
  else return;
  e.preventDefault();
});

show("start");
$("name").value = rater = remembered();
if (rater) next();
else $("name").focus();
