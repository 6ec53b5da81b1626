# What differs from site to site.
locals {
  engine = "docker"                         # or "podman": a name or a path
  bin    = "/usr/local/lib/docker-pipeline" # where the scripts are

  # Repositories that may be built: what a URL must begin with. https, ssh and
  # file are possible.
  sources = ["https://git.example.com/apps/"]

  # Apps that may run, and the port of each: an app is called as its repository.
  apps = { web = 8080, api = 8081 }

  drain = 2 # seconds between leaving the router and stopping
}
