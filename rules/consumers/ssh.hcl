# ssh reads the new file, and connects to nothing. There is nothing to reload:
# each ssh reads its configuration.
check {
  command = ["ssh", "-G", "-F", values(staged)[0], "any.host"]
}
