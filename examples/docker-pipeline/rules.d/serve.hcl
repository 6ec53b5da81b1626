# pull, with NAME:TAG as payload: every serve node fetches the image, then calls
# on itself to run it.
rule "pull" {
  description = "registry to node"
  on          = ["user:pull"]

  self { tags = { role = "serve" } }

  members {
    status = ["alive"]
    tags   = { role = "store" }
  }
  when = length(members) > 0

  run {
    command    = ["${local.bin}/pull", event.payload]
    timeout    = "5m"
    retries    = 2
    idempotent = true
    env = {
      CONTAINER_ENGINE = local.engine
      REGISTRY         = "${members[0].addr}:${members[0].tags.registry}"
    }
  }
  send {
    event   = "run"
    payload = "${self.name},${event.payload}"
  }
}

# run, with NODE,NAME:TAG as payload: that node runs the image in place of what
# the app ran so far. Once it answers, the node's tag app-NAME says so, and the
# router follows.
rule "run" {
  description = "image to container to router"
  on          = ["user:run"]
  when        = split(",", event.payload)[0] == self.name && length(members) > 0

  self { tags = { role = "serve" } }

  members {
    status = ["alive"]
    tags   = { role = "store" }
  }

  run {
    command    = ["${local.bin}/run", trimprefix(event.payload, "${self.name},")]
    timeout    = "2m"
    idempotent = true
    env = {
      CONTAINER_ENGINE = local.engine
      REGISTRY         = "${members[0].addr}:${members[0].tags.registry}"
      ADDRESS          = self.addr
      APPS             = join(" ", [for name, port in local.apps : "${name}=${port}"])
      DRAIN            = local.drain
    }
  }
}

# disable-container and delete-container, with NAME as payload for every serve
# node, with NODE,NAME for one. Disabled means stopped: `run` starts it again.
rule "disable-container" {
  description = "out of the router, then stopped"
  on          = ["user:disable-container"]
  signature   = "required"
  when        = contains([self.name, event.payload], split(",", event.payload)[0])

  self { tags = { role = "serve" } }

  run {
    command    = ["${local.bin}/disable-container", trimprefix(event.payload, "${self.name},")]
    timeout    = "2m"
    retries    = 2
    idempotent = true
    env = {
      CONTAINER_ENGINE = local.engine
      APPS             = join(" ", [for name, port in local.apps : "${name}=${port}"])
      DRAIN            = local.drain
    }
  }
}

rule "delete-container" {
  description = "out of the router, then gone, and its images, too"
  on          = ["user:delete-container"]
  signature   = "required"
  when        = contains([self.name, event.payload], split(",", event.payload)[0])

  self { tags = { role = "serve" } }

  run {
    command    = ["${local.bin}/delete-container", trimprefix(event.payload, "${self.name},")]
    timeout    = "2m"
    retries    = 2
    idempotent = true
    env = {
      CONTAINER_ENGINE = local.engine
      APPS             = join(" ", [for name, port in local.apps : "${name}=${port}"])
      DRAIN            = local.drain
    }
  }
}

# An agent that has just started says which apps run on its node: containers
# outlive it, tags need not.
rule "advertise" {
  on   = ["member-join"]
  when = member.name == self.name

  self { tags = { role = "serve" } }

  run {
    command = ["${local.bin}/advertise"]
    env = {
      CONTAINER_ENGINE = local.engine
      APPS             = join(" ", [for name, port in local.apps : "${name}=${port}"])
    }
  }
}
