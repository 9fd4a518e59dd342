/**
 * The first namespaces, as the links in /proc/PID/ns name them (PROC_PID_INIT_INO and PROC_CGROUP_INIT_INO in
 * include/linux/proc_ns.h).
 */
export const hostPidNamespace = "pid:[4026531836]";
export const hostCgroupNamespace = "cgroup:[4026531835]";
