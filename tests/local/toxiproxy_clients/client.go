// The Go client of Toxiproxy's own module, all that it can, on the server at port os.Args[1].
package main

import (
	"fmt"
	"os"
	"sort"

	toxiproxy "github.com/Shopify/toxiproxy/v2/client"
)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func names(client *toxiproxy.Client) []string {
	proxies, err := client.Proxies()
	check(err)
	all := []string{}
	for name := range proxies {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}

func main() {
	client := toxiproxy.NewClient("127.0.0.1:" + os.Args[1])
	version, err := client.Version()
	check(err)
	fmt.Println(string(version), names(client))
	proxy, err := client.CreateProxy("one", "127.0.0.1:0", "127.0.0.1:9")
	check(err)
	fmt.Println(proxy.Name, proxy.Listen, proxy.Upstream, proxy.Enabled, proxy.ActiveToxics)
	_, err = client.CreateProxy("one", "127.0.0.1:0", "127.0.0.1:9")
	fmt.Println(err)
	toxic, err := proxy.AddToxic("", "latency", "", -1, toxiproxy.Attributes{"latency": 5})
	fmt.Println(toxic, err)
	toxic, err = proxy.AddToxic("late", "latency", "downstream", 0.3, toxiproxy.Attributes{"latency": 5})
	fmt.Println(toxic, err)
	toxic, err = proxy.UpdateToxic("late", -1, toxiproxy.Attributes{"jitter": 2})
	fmt.Println(toxic, err)
	_, err = proxy.AddToxic("x", "nonsense", "upstream", 1, nil)
	fmt.Println(err)
	_, err = proxy.UpdateToxic("none", 1, nil)
	fmt.Println(err)
	toxics, err := proxy.Toxics()
	fmt.Println(toxics, err, proxy.RemoveToxic("late"), proxy.RemoveToxic("late"))
	options := toxiproxy.ToxicOptions{ProxyName: "one", ToxicName: "o", ToxicType: "noop", Stream: "upstream", Toxicity: 1}
	toxic, err = client.AddToxic(&options)
	fmt.Println(toxic, err, client.RemoveToxic(&options))
	check(proxy.Disable())
	fmt.Println(proxy.Enabled, proxy.Enable(), proxy.Enabled, client.ResetState())
	proxy.Upstream = "127.0.0.1:10"
	fmt.Println(proxy.Save(), proxy.Upstream)
	made, err := client.Populate([]toxiproxy.Proxy{{Name: "two", Listen: "127.0.0.1:0", Upstream: "127.0.0.1:9", Enabled: true}})
	fmt.Println(len(made), err, names(client))
	_, err = client.Populate([]toxiproxy.Proxy{{Name: "three"}})
	fmt.Println(err)
	_, err = client.Proxy("none")
	fmt.Println(err)
	for _, name := range names(client) {
		one, err := client.Proxy(name)
		check(err)
		check(one.Delete())
	}
	fmt.Println(names(client), proxy.Delete())
}
