package dataset
import ("testing";"time";"os")
func TestZZ(t *testing.T){
 c:=Default(); c.Files=[]string{os.Getenv("ZZ")}
 s:=time.Now()
 tab,rep,err:=Load(c,Source{}); if err!=nil{t.Fatal(err)}
 t.Log("load",time.Since(s)); s=time.Now()
 cc:=c.Clean; cc.Near="off"
 _,err=Clean(tab.View(),cc,newReport(rep.Rows)); t.Log("clean",time.Since(s),err); s=time.Now()
 v,err:=Clean(tab.View(),c.Clean,rep); t.Log("clean+near",time.Since(s),err); s=time.Now()
 p,err:=Split(v,c.Split,Source{},rep); t.Log("split",time.Since(s),err); s=time.Now()
 err=CheckLeaks(p,c.Split,rep); t.Log("leaks",time.Since(s),err!=nil)
}
