# The agent on every client: `nomad job run deploy/nomad/pidward.nomad.hcl` (-var image=registry.example/pidward:0.1.0).
# The clients' plugin "docker" has to allow it, since it looks at the whole host:
#
#   plugin "docker" {
#     config {
#       allow_privileged = true            # for pid_mode
#       allow_caps       = ["sys_ptrace", "dac_read_search", "kill", "bpf", "perfmon"]   # besides the default ones
#       volumes { enabled = true }
#     }
#   }
variable "image" {
  type    = string
  default = "pidward:local"
}

job "pidward" {
  type        = "system"
  datacenters = ["*"]

  constraint {
    attribute = "${attr.driver.docker}"
    value     = "1"
  }

  update {
    max_parallel = 1
    stagger      = "30s"
  }

  group "agent" {
    restart {
      attempts = 3
      interval = "5m"
      delay    = "15s"
      mode     = "delay"
    }

    task "pidward" {
      driver       = "docker"
      user         = "root"
      kill_timeout = "30s"

      env {
        # For users over TCP: PIDWARD_WEB_CONFIG_FILE and PIDWARD_WEB_LISTEN_ADDRESS.
        PIDWARD_LOG_FORMAT = "logfmt"
      }

      config {
        image = var.image
        # The host's interfaces for node_*; HTTP listens on the host's 127.0.0.1:10776, reads only.
        network_mode = "host"
        # Every process of the host by its real PID, to be shown and signalled.
        pid_mode = "host"
        # Whole cgroup paths, by which processes are mapped to containers (Nomad 1.10.2; before, the engine's default).
        cgroupns = "host"
        # Nothing is written but the audit and the socket.
        readonly_rootfs = true
        cap_drop        = ["all"]
        cap_add = [
          "sys_ptrace",      # I/O figures, environments, namespaces and files of processes; process managers
          "dac_read_search", # the same of other users' processes
          "kill",            # signals to other users' processes
          # All processes in one pass and every end of one; without these two the agent reads /proc. Docker before 23 does not
          # know them: leave them out there.
          "bpf",
          "perfmon",
        ]
        # AppArmor's docker-default keeps the agent from signalling the host's processes.
        security_opt = ["no-new-privileges", "apparmor=unconfined"]

        # The engine: names, states and labels of containers, exec and restart. Read-only would restrict nothing.
        mount {
          type   = "bind"
          source = "/var/run/docker.sock"
          target = "/var/run/docker.sock"
        }

        # Sizes of file systems, user names, /sys with the cgroups.
        mount {
          type     = "bind"
          source   = "/"
          target   = "/host"
          readonly = true
          bind_options {
            propagation = "rslave"
          }
        }

        # By `volumes` the engine makes the folders where they are not there yet: pidward.sock for the command line on the host;
        # what was done, by whom, kept when the task is replaced.
        volumes = [
          "/run/pidward:/run/pidward",
          "/var/lib/pidward:/var/lib/pidward",
        ]
      }

      resources {
        cpu        = 100
        memory     = 160
        memory_max = 384
      }
    }
  }
}
