rule "hosts" {
  description = "Ansible finds everybody by role; the template is the user's own"

  template {
    source      = "templates/hosts.ini.tmpl"
    destination = "${local.dir}/ansible/hosts.ini"
  }
}
