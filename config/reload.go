package config

import "reflect"

// Fixed returns the keys, as "cluster.bind", whose values differ in next and
// that only a restart of the agent brings into force. All others an agent
// takes while it runs: Log.Level, Leave, Handlers, and Cluster.Tags, which go to
// Node.SetBaseTags so that no tag that was changed at run time is lost. (What
// lies in the rules' directory, in HandlersDir and at TrustedKeys is looked at
// anew anyhow.)
func (c Config) Fixed(next Config) []string {
	var out []string
	seen := map[any]bool{}
	for _, k := range keys {
		before, after := k.field(&c), k.field(&next)
		if rpc, ok := before.(*rpcAddress); ok { // it is more than its key
			before, after = &rpc.Addr, &after.(*rpcAddress).Addr
		}
		if k.name != "" && !k.live && !seen[before] && !reflect.DeepEqual(before, after) {
			out = append(out, k.block+"."+k.name)
		}
		seen[before] = true
	}
	return out
}
