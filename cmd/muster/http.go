package main

import (
	"muster/config"
	"muster/page"
	"muster/web"
)

// listenHTTP makes the API, and opens its TCP port if one is wanted.
func (s *services) listenHTTP() (err error) {
	cfg := s.cfg.HTTP
	api := web.Config{
		Agent: s.keeper, Nodes: s.nodes, Metadata: s.runs, Fleet: s.fleet, Drain: s.drain, Timeline: s.past, Configured: func() bool { return !s.mistaken.Load() },
	}
	s.page = page.New(page.Config{Agent: s.keeper, Nodes: s.nodes, Fleet: s.fleet, Timeline: s.past})
	api.Page = s.page
	if s.node != nil { // the agent that is followed has numbers of its own
		api.More = s.meter.Families
	}
	if cfg.Address != "" {
		if api.Gate, err = gate(cfg); err != nil {
			return err
		}
		port := web.Port{Address: cfg.Address, Cert: cfg.TLSCert, Key: cfg.TLSKey, Logger: s.log.Logger}
		if s.http, err = port.Listen(); err != nil {
			return err
		}
	}
	s.web = web.New(api)
	return nil
}

// gate says who may do what over TCP.
func gate(cfg config.HTTP) (g *web.Gate, err error) {
	g = &web.Gate{Hosts: cfg.Hosts, Open: cfg.Read == config.ReadOpen}
	if g.Token, err = web.OpenToken(cfg.TokenFile); err != nil {
		return nil, err
	}
	g.ReadToken, err = web.OpenToken(cfg.ReadTokenFile)
	return g, err
}

// httpURL is where the API is served over TCP.
func (s *services) httpURL() string {
	if s.http == nil {
		return ""
	}
	scheme := "http"
	if s.cfg.HTTP.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + s.http.Addr().String() + "/"
}
