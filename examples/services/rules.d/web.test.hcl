# Run these with: muster test examples/services/rules.d
#
# The tags hold [{"s":"web",…}], as `muster tags` shows them: web1 offers web on
# port 8080 and dns, web2 web without an address of its own, web3 web at an
# address that is none.
test "traffic goes to the published web services" {
  members = [
    { name = "lb1", addr = "10.0.0.9" },
    { name = "web1", addr = "10.0.0.1", tags = { services = "QlpoOTFBWSZTWcPRovwAADgbgBAFalAICj5nzoogAGBIkICAwABQAAAACxG3yqzIq2uILAwxNzQrJ+jUr+DYHQyFcJd/Rey0xgwCGYFZi62AaW7GK5LSo6Gu1vByULCR+3OmXTO2EDWfcHgu5IpwoSGHo0X4" } },
    { name = "web2", addr = "fd00::2", tags = { services = "QlpoOTFBWSZTWXLM3WMAABibgBAFUFAICj5mzoogAEhlAEBgACAQIAA8GnxkqsDJyuyd7O9I0hI7Jg6IhBhApu8RmrdI2MG9Lo0FhBIggpF3JFOFCQcszdYw" } },
    { name = "web3", addr = "10.0.0.3", tags = { services = "QlpoOTFBWSZTWc2VuoQAAB2bgBAFaFAICj5mzoogAEhkIIAYCAQEBAAGwiNnzsr3iWKwpi8diPUUaE6nrKTSkHuhJ0GIFfsdgtaMThg2nZFcroJEDlAu5IpwoSGbK3UI" } },
    { name = "web4", addr = "10.0.0.4", tags = { services = "no such tag" } },
  ]
  self = "lb1"

  expect "published-web" {
    file "/etc/nginx/conf.d/published.conf" {
      equals = "upstream published {\n    server 10.0.0.1:8080;  # web1\n    server [fd00::2]:8080;  # web2\n}\n"
    }
  }
}

test "a member that is not alive offers nothing" {
  members = [
    { name = "web1", addr = "10.0.0.1", status = "failed", tags = { services = "QlpoOTFBWSZTWcPRovwAADgbgBAFalAICj5nzoogAGBIkICAwABQAAAACxG3yqzIq2uILAwxNzQrJ+jUr+DYHQyFcJd/Rey0xgwCGYFZi62AaW7GK5LSo6Gu1vByULCR+3OmXTO2EDWfcHgu5IpwoSGHo0X4" } },
    { name = "web2", addr = "fd00::2", tags = { services = "QlpoOTFBWSZTWXLM3WMAABibgBAFUFAICj5mzoogAEhlAEBgACAQIAA8GnxkqsDJyuyd7O9I0hI7Jg6IhBhApu8RmrdI2MG9Lo0FhBIggpF3JFOFCQcszdYw" } },
  ]
  self = "web2"

  expect "published-web" {
    file "/etc/nginx/conf.d/published.conf" {
      contains = ["[fd00::2]:8080"]
      lacks    = ["10.0.0.1"]
    }
  }
}
