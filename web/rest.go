package web

import (
	"fmt"
	"net/http"
	"time"

	"muster/cluster"
	"muster/metadata"
	"muster/publisher"
)

// restWait is how long monitoring waits for the nodes' answers.
const restWait = 5 * time.Second

// staleAfter is after how many rounds without an answer a node's load is none
// of now.
const staleAfter = 3

// AlivePeers are the addresses of the members that are alive, this node's own
// among them.
type AlivePeers struct {
	AlivePeers []string `json:"alivePeers"`
}

// A Monitoring is how busy the nodes are that have told.
type Monitoring struct {
	Res []Monitored `json:"res"`
}

// A Monitored is how busy one node is.
type Monitored struct {
	IP        string  `json:"ip"`
	LoadAvg1  float64 `json:"loadavg1"`
	LoadAvg5  float64 `json:"loadavg5"`
	LoadAvg15 float64 `json:"loadavg15"`
	CountCPUs int     `json:"countCPUs"`
	TotalMem  uint64  `json:"totalmem"` // bytes
	FreeMem   uint64  `json:"freemem"`  // bytes
}

// WorkingNodes are the addresses of the members that have been given a service
// to run, and are alive.
type WorkingNodes struct {
	Res []string `json:"res"`
}

// A ServiceList is what the node has been given to run.
type ServiceList struct {
	Service []string `json:"service"` // sorted
}

// alivePeers lists who is alive.
func (a *API) alivePeers(*http.Request) (AlivePeers, error) {
	var alive []cluster.Member
	for _, m := range a.Agent.Members() {
		if m.Status == cluster.Alive {
			alive = append(alive, m)
		}
	}
	return AlivePeers{addresses(alive)}, nil
}

// monitoring says how busy the nodes are. It is an error if there is no other.
func (a *API) monitoring(r *http.Request) (Monitoring, error) {
	report := a.Nodes.Look(r.Context(), 0)
	if !report.Alone { // else there is nothing to wait for
		report = a.Nodes.Look(r.Context(), restWait)
	}
	switch {
	case report.Alone:
		return Monitoring{}, fmt.Errorf("%w: %s is alone", errAlone, report.Self)
	case report.Problem != "":
		return Monitoring{}, fmt.Errorf("%w: %s", errUnasked, report.Problem)
	}
	m := Monitoring{Res: []Monitored{}}
	for _, n := range report.Nodes {
		if l := n.Load; l != nil && n.Status == cluster.Alive && n.Age <= staleAfter*report.Every {
			m.Res = append(m.Res, Monitored{publisher.AddrOf(n.Addr), l.Load1, l.Load5, l.Load15, l.CPUs, l.MemTotal, l.MemFree})
		}
	}
	return m, nil
}

// workingNodes lists who has been given a service to run.
func (a *API) workingNodes(r *http.Request) (WorkingNodes, error) {
	service := r.PathValue("service")
	if err := metadata.CheckName(service); err != nil {
		return WorkingNodes{}, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	return WorkingNodes{addresses(metadata.Working(a.Agent.Members(), service))}, nil
}

// changeList answers as changeMetaData does, with the list alone.
func (a *API) changeList(do changeOf) func(*http.Request) (ServiceList, error) {
	changed := a.changeMetaData(do)
	return func(r *http.Request) (ServiceList, error) {
		m, err := changed(r)
		return ServiceList{m.Service}, err
	}
}

// addresses are those of members, without those that have none.
func addresses(members []cluster.Member) []string {
	all := []string{}
	for _, m := range members {
		if addr := publisher.AddrOf(m.Addr); addr != "" {
			all = append(all, addr)
		}
	}
	return all
}
