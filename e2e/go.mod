module bcdev/e2e

go 1.26.0

require github.com/chromedp/chromedp v0.23.0
