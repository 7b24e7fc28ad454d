package tunnel

// sentence is what we say of one of ngrok's codes.
type sentence struct {
	text  string
	next  string
	quote bool // ngrok's own words say more: which line, which address
	retry bool // worth another try at opening
}

const (
	tokenPage  = "copy your authtoken from https://dashboard.ngrok.com/get-started/your-authtoken into NGROK_AUTHTOKEN"
	billing    = "see https://dashboard.ngrok.com/billing, or leave tunnel.url empty for the dev domain every account has"
	devDomain  = "use a domain of https://dashboard.ngrok.com/domains, or leave tunnel.url empty for your dev domain"
	endAgents  = "end another program that uses this account, or see https://dashboard.ngrok.com/agents"
	newVersion = "get the current version of this program"
	support    = "see https://dashboard.ngrok.com, or write to support@ngrok.com"
	fixPolicy  = "correct tunnel.traffic_policy; try it without one to be sure that it is the cause"
)

// sentences has the codes that a developer can meet when he opens a tunnel. The meanings are those
// of https://ngrok.com/docs/errors. A code that is not here is quoted in ngrok's words.
var sentences = map[string]sentence{
	// At authentication.
	"ERR_NGROK_4018": {text: "ngrok needs an authtoken", next: tokenPage},
	"ERR_NGROK_105":  {text: "what was given as authtoken is not shaped like one", next: tokenPage + "; an API key is not an authtoken"},
	"ERR_NGROK_106":  {text: "the authtoken is of ngrok's first version, which is gone", next: tokenPage},
	"ERR_NGROK_107":  {text: "ngrok does not know this authtoken, or it was reset", next: tokenPage},
	"ERR_NGROK_300":  {text: "the authtoken or the tunnel was revoked", next: "make a new authtoken at https://dashboard.ngrok.com/authtokens and put it into NGROK_AUTHTOKEN"},
	"ERR_NGROK_102":  {text: "the ngrok account is suspended", next: support},
	"ERR_NGROK_103":  {text: "the ngrok account is suspended", next: support},
	"ERR_NGROK_337":  {text: "the ngrok account is suspended", next: support},
	"ERR_NGROK_338":  {text: "the ngrok account is suspended", next: support},
	"ERR_NGROK_108":  {text: "the ngrok account has too many agents online", next: endAgents},
	"ERR_NGROK_348":  {text: "the ngrok account has too many agents online", next: endAgents},
	"ERR_NGROK_111":  {text: "ngrok refuses the heartbeat interval", next: "leave the heartbeat at its default"},
	"ERR_NGROK_112":  {text: "ngrok refuses the heartbeat tolerance", next: "leave the heartbeat at its default"},
	"ERR_NGROK_115":  {text: "the ngrok account does not allow agents from this IP address", next: "see the IP restrictions in https://dashboard.ngrok.com", quote: true},
	"ERR_NGROK_116":  {text: "the ngrok account does not allow agents from this IP address", next: "see the IP restrictions in https://dashboard.ngrok.com", quote: true},
	"ERR_NGROK_119":  {text: "ngrok refuses the version this program gave of itself", next: newVersion},
	"ERR_NGROK_120":  {text: "ngrok no longer serves the version of its library in this program", next: newVersion},
	"ERR_NGROK_121":  {text: "ngrok no longer serves the version of its library in this program", next: newVersion},
	"ERR_NGROK_122":  {text: "the ngrok account may not connect at this address", next: "remove tunnel.connect_url to use ngrok's default", quote: true},
	"ERR_NGROK_123":  {text: "the e-mail address of the ngrok account is not confirmed yet", next: "confirm it at https://dashboard.ngrok.com/user/settings"},
	"ERR_NGROK_124":  {text: "ngrok refuses the name this program gave of itself", next: newVersion},
	"ERR_NGROK_128":  {text: "ngrok is busy for a moment", next: "nothing to do: it is tried again", retry: true},
	"ERR_NGROK_8014": {text: "ngrok blocks this account", next: support},
	"ERR_NGROK_9040": {text: "ngrok blocks this network or account", next: support},

	// At binding the address.
	"ERR_NGROK_334":   {text: "the address is already online from another program", next: "end the other one (https://dashboard.ngrok.com/endpoints); after a crash it takes a moment until it is free", retry: true},
	"ERR_NGROK_319":   {text: "the address is not reserved for the ngrok account", next: devDomain, quote: true},
	"ERR_NGROK_320":   {text: "the address belongs to another ngrok account", next: devDomain, quote: true},
	"ERR_NGROK_313":   {text: "the ngrok account's plan has no addresses of one's own choice", next: billing},
	"ERR_NGROK_314":   {text: "the ngrok account's plan has no addresses of one's own choice", next: billing},
	"ERR_NGROK_315":   {text: "the ngrok account may not use wildcard addresses", next: devDomain},
	"ERR_NGROK_318":   {text: "the wildcard address is not reserved for the ngrok account", next: devDomain},
	"ERR_NGROK_321":   {text: "the wildcard address belongs to another ngrok account", next: devDomain},
	"ERR_NGROK_317":   {text: "the address is reserved in another region", next: "use an address of the region you connect to", quote: true},
	"ERR_NGROK_322":   {text: "the address is reserved in another region", next: "use an address of the region you connect to", quote: true},
	"ERR_NGROK_324":   {text: "the ngrok account has too many endpoints online", next: endAgents},
	"ERR_NGROK_350":   {text: "the ngrok account has too many endpoints online", next: endAgents},
	"ERR_NGROK_326":   {text: "the address is not a name ngrok can serve", next: devDomain, quote: true},
	"ERR_NGROK_327":   {text: "the address is not a name ngrok can serve", next: devDomain, quote: true},
	"ERR_NGROK_328":   {text: "the address is not a name ngrok can serve", next: devDomain, quote: true},
	"ERR_NGROK_329":   {text: "the address is not a name ngrok can serve", next: devDomain, quote: true},
	"ERR_NGROK_330":   {text: "the address is not a name ngrok can serve", next: devDomain, quote: true},
	"ERR_NGROK_331":   {text: "the address is not a name ngrok can serve", next: devDomain, quote: true},
	"ERR_NGROK_347":   {text: "the address is not a name ngrok can serve", next: devDomain, quote: true},
	"ERR_NGROK_9037":  {text: "the address is not a name ngrok can serve", next: devDomain, quote: true},
	"ERR_NGROK_15002": {text: "the domain is not registered with ngrok yet", next: "register it at https://dashboard.ngrok.com/domains, or leave tunnel.url empty"},
	"ERR_NGROK_15013": {text: "the domain is not registered with ngrok yet", next: "register it at https://dashboard.ngrok.com/domains, or leave tunnel.url empty"},
	"ERR_NGROK_303":   {text: "the ngrok account's plan has no TLS endpoints", next: "use an https:// address"},
	"ERR_NGROK_312":   {text: "the ngrok account's plan has no TLS endpoints", next: "use an https:// address"},
	"ERR_NGROK_302":   {text: "the ngrok account may not open TCP endpoints", next: "use an https:// address"},
	"ERR_NGROK_8013":  {text: "the ngrok account may not open TCP endpoints", next: "use an https:// address"},
	"ERR_NGROK_332":   {text: "ngrok does not serve this protocol", next: "use an https:// address"},
	"ERR_NGROK_2200":  {text: "ngrok refuses the traffic policy", next: fixPolicy, quote: true},
	"ERR_NGROK_2201":  {text: "ngrok refuses the traffic policy", next: fixPolicy, quote: true},
	"ERR_NGROK_2202":  {text: "ngrok refuses the traffic policy", next: fixPolicy, quote: true},
	"ERR_NGROK_2203":  {text: "ngrok refuses the traffic policy", next: fixPolicy, quote: true},
	"ERR_NGROK_2204":  {text: "ngrok refuses the traffic policy", next: fixPolicy, quote: true},

	// While running.
	"ERR_NGROK_725": {text: "the ngrok account has used up its data for this month", next: "see https://dashboard.ngrok.com/usage"},
	"ERR_NGROK_727": {text: "the ngrok account has used up its requests for this month", next: "see https://dashboard.ngrok.com/usage"},
	"ERR_NGROK_734": {text: "the ngrok account sends too many requests a minute", next: "wait a minute; see https://dashboard.ngrok.com/usage"},
}

// fatal reports whether a refusal at the first connection is the last word.
func fatal(code string) bool {
	return code != "" && !sentences[code].retry
}
