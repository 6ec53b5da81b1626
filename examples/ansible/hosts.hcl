# Ansible's inventory holds every live member, in groups by its roles.
#
#   ansible -i /etc/ansible/inventory role_web -m ping
#
# The directory may hold inventories of your own, and group_vars/role_web.yml.
# Without a rule: muster inventory.
#
# muster init writes it where it finds: ansible-inventory

rule "ansible-hosts" {
  description = "Ansible knows every live member"

  # Whom it is about: every live member.
  members {
    draining = "include" # a node that takes no work is still there
  }

  # user: who logs in. There are also port, connection, python, group_tag (the
  # tag that names a member's groups, "role") and prefix (of groups, "role_").
  template {
    source           = "ansible-hosts"
    destination      = "/etc/ansible/inventory/muster"
    vars             = { user = "deploy" }
    create_dest_dirs = true
  }

  # ansible-inventory --list on the new file, told to fail where it would take a
  # broken file for an empty one. There is nothing to reload: Ansible reads its
  # inventory at every start.
  check = "ansible"

  # Members that come or go together are one change.
  wait = "1s:10s"

  guard {
    min_members = 0 # an empty inventory is valid, and true
  }
}
