//! Executions from outside: stopping, asking, listing, being told.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

use local_aws_core::Event;

use crate::support::{self, Fixture};

fn slow_machine() -> Value {
    json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": "arn:aws:lambda:eu-west-1:111122223333:function:slow", "Payload": {"ms": 3000}},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}],
            "Next": "B",
        },
        "B": {"Type": "Pass", "End": true},
    }})
}

/// The next change of one execution's status; others run beside it.
async fn next_change(events: &mut Receiver<Event>, execution: &str) -> Value {
    loop {
        let event = events.recv().await.unwrap();
        if event.resources == [execution] {
            assert_eq!(event.source, "aws.states");
            return event.detail;
        }
    }
}

async fn call(fixture: &Fixture, operation: &str, input: Value) -> Result<Value, String> {
    fixture.states.call(operation, &input).await.map_err(|error| error.code)
}

#[test]
fn a_stop_ends_an_execution_at_once_and_no_catch_sees_it() {
    support::run(async |fixture| {
        let mut events = fixture.bus.subscribe();
        let execution = fixture.run("stopped", &slow_machine(), &json!({"runId": "r"})).await;
        assert_eq!(next_change(&mut events, &execution).await["status"], "RUNNING");
        let asked = Instant::now();

        let stop = json!({"executionArn": execution, "error": "Operator", "cause": "enough"});
        call(fixture, "StopExecution", stop).await.unwrap();
        let detail = next_change(&mut events, &execution).await;

        assert!(asked.elapsed() < Duration::from_secs(1), "the task still runs");
        assert_eq!(detail["status"], "ABORTED");
        assert_eq!(detail["input"], "{\"runId\":\"r\"}");
        let seen = fixture.ended(&execution).await;
        assert_eq!(
            (&seen["status"], &seen["error"], &seen["cause"]),
            (&json!("ABORTED"), &json!("Operator"), &json!("enough"))
        );

        // The function answers into an execution that is over: nothing may come of it.
        tokio::time::sleep(Duration::from_millis(3500)).await;
        let history = fixture.history(&execution).await;
        assert_eq!(history.last().unwrap()["type"], "ExecutionAborted");
        assert!(history.iter().all(|event| event["stateEnteredEventDetails"]["name"] != "B"));
        assert_eq!(fixture.ended(&execution).await["status"], "ABORTED");
    });
}

#[test]
fn a_history_comes_in_pages_and_backwards() {
    support::run(async |fixture| {
        let machine = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
            "A": {"Type": "Pass", "Assign": {"n": 1}, "Next": "B"},
            "B": {"Type": "Pass", "Output": "{% $n %}", "End": true},
        }});
        let execution = fixture.run("passes", &machine, &json!({})).await;
        fixture.ended(&execution).await;

        let (mut kinds, mut ids, mut token) = (Vec::new(), Vec::new(), Value::Null);
        loop {
            let mut input = json!({"executionArn": execution, "maxResults": 4, "reverseOrder": true});
            if !token.is_null() {
                input["nextToken"] = token;
            }
            let page = call(fixture, "GetExecutionHistory", input).await.unwrap();
            kinds.extend(
                page["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()),
            );
            ids.extend(page["events"].as_array().unwrap().iter().map(|event| event["id"].as_u64().unwrap()));
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }

        let expected = [
            "ExecutionSucceeded",
            "PassStateExited",
            "PassStateEntered",
            "PassStateExited",
            "PassStateEntered",
            "ExecutionStarted",
        ];
        assert_eq!(kinds, expected);
        assert_eq!(ids, [6, 5, 4, 3, 2, 1]);
    });
}

#[test]
fn a_start_can_be_repeated_while_it_runs_and_a_name_serves_once() {
    support::run(async |fixture| {
        let execution = fixture.run("repeated", &slow_machine(), &json!({})).await;
        let machine = execution.replace(":execution:", ":stateMachine:").rsplit_once(':').unwrap().0.to_owned();
        let start = |input: &str| {
            call(fixture, "StartExecution", json!({"stateMachineArn": machine, "name": "r1", "input": input}))
        };

        let first = start("{}").await.unwrap();

        assert_eq!(start("{}").await.unwrap()["executionArn"], first["executionArn"]);
        assert_eq!(start("{\"other\":1}").await, Err("ExecutionAlreadyExists".to_owned()));
        assert_eq!(start("{").await, Err("InvalidExecutionInput".to_owned()));
        let running = call(fixture, "ListExecutions", json!({"stateMachineArn": machine, "statusFilter": "RUNNING"}))
            .await
            .unwrap();
        assert_eq!(running["executions"].as_array().unwrap().len(), 2);
        call(fixture, "StopExecution", json!({"executionArn": first["executionArn"]})).await.unwrap();
        assert_eq!(start("{}").await, Err("ExecutionAlreadyExists".to_owned()));
    });
}

#[test]
fn what_cannot_run_is_refused_by_name() {
    support::run(async |fixture| {
        let state = |state: Value| json!({"StartAt": "A", "States": {"A": state}}).to_string();
        let create = |definition: String| json!({"name": "m", "definition": definition, "roleArn": "arn:aws:iam::111122223333:role/x"});
        let definitions = [
            "{".to_owned(),
            state(json!({"Type": "Pass", "Next": "Nowhere"})),
            state(json!({"Type": "Pass"})),
            state(json!({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:rds:describeDBInstances", "End": true})),
            json!({"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}).to_string(),
        ];

        for definition in definitions {
            assert_eq!(
                call(fixture, "CreateStateMachine", create(definition.clone())).await,
                Err("InvalidDefinition".to_owned()),
                "{definition}"
            );
        }
        let same = create(state(json!({"Type": "Succeed"})));
        let other = create(state(json!({"Type": "Pass", "End": true})));
        call(fixture, "CreateStateMachine", same.clone()).await.unwrap();
        call(fixture, "CreateStateMachine", same).await.unwrap();
        assert_eq!(call(fixture, "CreateStateMachine", other).await, Err("StateMachineAlreadyExists".to_owned()));
        assert_eq!(call(fixture, "RedriveExecution", json!({})).await, Err("NotImplemented".to_owned()));
        let nobody = json!({"executionArn": "arn:aws:states:eu-west-1:111122223333:execution:m:none"});
        assert_eq!(call(fixture, "DescribeExecution", nobody).await, Err("ExecutionDoesNotExist".to_owned()));
    });
}

#[test]
fn an_execution_can_be_stopped_as_soon_as_it_is_started() {
    support::run(async |fixture| {
        for n in 0..10 {
            let execution = fixture.run(&format!("slow-{n}"), &slow_machine(), &json!({})).await;

            call(fixture, "StopExecution", json!({"executionArn": execution})).await.unwrap();

            assert_eq!(fixture.ended(&execution).await["status"], "ABORTED");
        }
    });
}

#[test]
fn a_call_says_which_state_makes_it() {
    support::run(async |fixture| {
        let task = |next: Value| {
            let function = "arn:aws:lambda:eu-west-1:111122223333:function:who-calls";
            let mut task = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
                "Arguments": {"FunctionName": function}, "Output": "{% $states.result.Payload %}"});
            task.as_object_mut().unwrap().extend(next.as_object().unwrap().clone());
            task
        };
        let branch = |name: &str| json!({"StartAt": name, "States": {name: task(json!({"End": true}))}});
        let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
            "A": task(json!({"Assign": {"first": "{% $states.result.Payload %}"}, "Next": "Both"})),
            "Both": {"Type": "Parallel", "Branches": [branch("B"), branch("C")],
                "Output": "{% $append([$first], $states.result) %}", "End": true},
        }});

        let execution = fixture.run("callers", &definition, &json!({})).await;

        let output = fixture.ended(&execution).await["output"].as_str().unwrap().to_owned();
        let output: Value = serde_json::from_str(&output).unwrap();
        assert_eq!(output, json!(["callers/A", "callers/B", "callers/C"]));
    });
}
