package console

import "testing"

func TestAPagesStyleAndScriptsAreLeftOutOfTheScreen(t *testing.T) {
	for _, c := range []struct{ name, html, want string }{
		{"style", "<head>\n<STYLE>a {\n b\n}\n</STYLE>\n<p>hello", "<head>\n<STYLE>… 4 lines …</STYLE>\n<p>hello"},
		{"both, script first", "<script src=x>\n1\n2\n</script><style>\na\nb\n</style>end", "<script src=x>… 4 lines …</script><style>… 4 lines …</style>end"},
		{"short ones stay", "<style>p{}</style>\n", "<style>p{}</style>\n"},
		{"never closed", "<style>\na\nb\n<p>", "<style>\na\nb\n<p>"},
		{"cut in the tag", "<p>x</p><script", "<p>x</p><script"},
		{"nothing to leave out", "<p>styles and scripts</p>", "<p>styles and scripts</p>"},
		{"letters that grow in lower case", "İ<style>\n1\n2\n</style>", "İ<style>\n1\n2\n</style>"},
	} {
		if got := withoutStyle(c.html); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
