# Each new file by itself: of several -f keepalived reads the last. The whole
# configuration would say more, but 2.2.7 ends its own check of one that has
# script_user, with SIGTERM; and a file that is included within a block is none
# by itself: leave the check out for that.
check {
  command = concat(["sh", "-c", "for file; do keepalived -t -f \"$file\" || exit; done", "keepalived"], values(staged))
}

reload {
  command = ["systemctl", "reload", "keepalived"]
}
