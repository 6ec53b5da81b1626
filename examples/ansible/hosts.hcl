# Ansible's inventory holds every live member, in groups by its roles.
#
#   ansible -i /etc/ansible/inventory role_web -m ping
#
# The directory may hold inventories of your own, and group_vars/role_web.yml.

rule "ansible-hosts" {
  description = "Ansible knows every live member"

  members {}

  template {
    source           = "ansible-hosts"
    destination      = "/etc/ansible/inventory/muster"
    vars             = { user = "deploy" }
    create_dest_dirs = true
  }

  # Without the variable Ansible takes a broken file for an empty one. There is
  # nothing to reload: Ansible reads its inventory at every start.
  check = ["env", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=1", "ansible-inventory",
  "-i", staged["/etc/ansible/inventory/muster"], "--list"]

  wait = "1s:10s"

  guard {
    min_members = 0 # an empty inventory is valid, and true
  }
}
