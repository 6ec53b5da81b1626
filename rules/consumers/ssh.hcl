# ssh reads each new file, and connects to nothing. There is nothing to reload:
# each ssh reads its configuration.
check {
  command = concat(["sh", "-c", "for f do ssh -G -F \"$f\" any.host || exit; done", "sh"], values(staged))
}
