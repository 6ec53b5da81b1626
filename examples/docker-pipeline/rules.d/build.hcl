# compile, with a Git URL as payload: one of the build nodes makes an image of
# it, pushes it to the registry and has it pulled. A build runs what the
# repository says, so that whoever asks for it must sign.
rule "compile" {
  description = "Git repository to image to registry"
  on          = ["user:compile"]
  signature   = "required"
  nodes       = "one"

  self { tags = { role = "build" } }

  members { # the registry is where the store is
    status = ["alive"]
    tags   = { role = "store" }
  }
  when = length(members) > 0

  run {
    command    = ["${local.bin}/compile", event.payload]
    timeout    = "10m"
    idempotent = true
    env = {
      CONTAINER_ENGINE = local.engine
      REGISTRY         = "${members[0].addr}:${members[0].tags.registry}"
      SOURCES          = join(" ", local.sources)
    }
  }
  send {
    event   = "pull"
    payload = trimspace(run.stdout) # NAME:TAG
  }
}
