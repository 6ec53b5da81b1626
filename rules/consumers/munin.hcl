# munin's own parser, for it has no command that checks. There is nothing to
# reload: cron starts munin-update, which reads the files.
check {
  command = concat(["perl", "-MMunin::Master::Config", "-MLog::Log4perl", "-e",
    "Log::Log4perl->easy_init; Munin::Master::Config->instance->{config}->parse_config_from_file($_) for @ARGV"],
    values(staged))
}
