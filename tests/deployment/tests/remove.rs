//! `scripts/remove.sh` with an AWS CLI that answers as told: a stack is removed only where it is known that nothing is under
//! way.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The CLI, in another partition than the usual one. `$STACK`, `$RUNS` and `$KEPT` say how AWS answers.
const CLI: &str = r#"#!/bin/bash
case "$*" in
*get-caller-identity*) printf '111122223333\tarn:aws-cn:sts::111122223333:assumed-role/operator/x\n' ;;
*describe-stacks*)
    case $STACK in
    there) echo CREATE_COMPLETE ;;
    gone) echo 'An error occurred (ValidationError): Stack with id orders does not exist' >&2; exit 254 ;;
    denied) echo 'An error occurred (AccessDenied): no' >&2; exit 254 ;;
    esac ;;
*list-executions*)
    [[ "$*" == *arn:aws-cn:states:cn-north-1:111122223333:stateMachine:orders-* ]] || { echo 'wrong ARN' >&2; exit 254; }
    case $RUNS in
    upgrade | recover | fail-back) [[ "$*" == *orders-$RUNS* ]] && printf 'arn:%s:1\tarn:%s:2\n' "$RUNS" "$RUNS"; exit 0 ;;
    none) ;;
    half) echo 'An error occurred (StateMachineDoesNotExist): no' >&2; exit 254 ;;
    denied) echo 'An error occurred (AccessDeniedException): no' >&2; exit 254 ;;
    esac ;;
*list-schedules*)
    [[ "$*" == *stateMachine:orders-watch-fail-back* ]] || { echo 'wrong ARN' >&2; exit 254; }
    case $KEPT in
    kept) printf 'pgleap-one-fail-back\n' ;;
    none) printf '\n' ;;
    denied) echo 'An error occurred (AccessDeniedException): no' >&2; exit 254 ;;
    esac ;;
*delete-stack*) echo DELETED ;;
esac
"#;

fn cli() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aws");
    std::fs::write(&path, CLI).expect("write the CLI");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("make it run");
    path
}

#[test]
fn a_stack_is_removed_only_where_nothing_is_known_to_be_under_way() {
    let cli = cli();
    let cases = [
        ("there", "none", "none", true, "stack orders was deleted"),
        ("there", "half", "none", true, "stack orders was deleted"), // of a creation that failed half-way
        ("there", "upgrade", "none", false, "a run is in progress"),
        ("there", "recover", "none", false, "a run is in progress"),
        ("there", "fail-back", "none", false, "a run is in progress"),
        ("there", "denied", "none", false, "cannot find out whether a run is in progress"),
        ("there", "none", "kept", false, "still follows the new one"),
        ("there", "none", "denied", false, "cannot find out whether failing back is still possible"),
        ("gone", "none", "none", false, "there is no stack orders"),
        ("denied", "none", "none", false, "cannot read the status of stack orders"),
    ];
    for (stack, runs, kept, removes, says) in cases {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/remove.sh");
        let output = Command::new("bash")
            .arg(script)
            .arg("orders")
            .envs([("AWS_CLI", cli.as_os_str()), ("YES", "1".as_ref()), ("AWS_REGION", "cn-north-1".as_ref())])
            .envs([("STACK", stack), ("RUNS", runs), ("KEPT", kept)])
            .output()
            .expect("run the script");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));

        assert_eq!(said.contains("DELETED"), removes, "{stack} {runs} {kept}: {said}");
        assert_eq!(output.status.success(), removes, "{stack} {runs} {kept}: {said}");
        assert!(said.contains(says), "{stack} {runs} {kept}: {said}");
    }
}
