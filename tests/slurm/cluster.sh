#!/bin/bash
# A SLURM cluster on this machine: one controller, two nodes of two processors, as root.
#   cluster.sh start DIR    prints what to export;  cluster.sh stop DIR
# Debian packages: slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge
# No accounting and no control groups: memory limits are not enforced, `sacct` answers nothing.
set -euo pipefail
export PATH=$PATH:/usr/sbin
command=$1
folder=$(realpath "$2")
host=$(hostname)
port=${SLURM_TEST_PORT:-26800}

stop() {
  for file in "$folder"/*.pid; do
    [ -e "$file" ] && kill "$(cat "$file")" 2>/dev/null || true
  done
}

start() {
  mkdir -p "$folder/state" "$folder/munge"
  chmod 755 "$folder" "$folder/munge"
  mkdir -p -m 700 "$folder/key"
  dd if=/dev/urandom of="$folder/key/munge.key" bs=1024 count=1 status=none
  chmod 600 "$folder/key/munge.key"
  munged --force --key-file="$folder/key/munge.key" --socket="$folder/munge/socket" \
    --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/key/seed"
  cat > "$folder/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/finished.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmdParameters=config_overrides
MinJobAge=3600
KillWait=3
SchedulerParameters=batch_sched_delay=0,bf_interval=1
NodeName=n[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 2))] CPUs=2 RealMemory=8000
PartitionName=main Nodes=ALL Default=YES State=UP MaxTime=INFINITE
END
  export SLURM_CONF=$folder/slurm.conf
  slurmctld -c
  slurmd -N n1
  slurmd -N n2
  for _ in $(seq 100); do
    [ "$(sinfo --noheader --format=%T 2>/dev/null | sort -u)" = idle ] && break
    sleep 0.2
  done
  sinfo >&2
  echo "export SLURM_CONF=$SLURM_CONF"
}

"$command"
