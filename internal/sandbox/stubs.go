package sandbox

import (
	"context"
	"net/http"
	"time"
)

type shop struct{}
type record struct{}
type faults struct{}
type registry struct{}
type courier struct{}
type storefrontTokens struct{}
type graphs struct{}
type route struct{}

func newRegistry() *registry                                { return &registry{} }
func newStorefrontTokens() *storefrontTokens                { return &storefrontTokens{} }
func newGraphs() *graphs                                    { return &graphs{} }
func newCourier(*Sandbox) *courier                          { return &courier{} }
func apiRoutes() []route                                    { return nil }
func (s *Sandbox) handler() http.Handler                    { return http.NewServeMux() }
func (s *Sandbox) openShop(string) *shop                    { return &shop{} }
func (c *courier) close()                                   {}
func (c *courier) advance(context.Context, time.Time) error { return nil }
