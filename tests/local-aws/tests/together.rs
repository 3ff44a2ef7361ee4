//! The services together, asked by the real SDK clients: a machine runs functions, a schedule starts a machine, an
//! execution's end starts another, a function may do only what its policy says.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_scheduler::types::{ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, Target};
use local_aws::{Config, LocalAws};
use local_aws_core::Fault;
use local_aws_lambda::{KillPlan, KillWhen, Template};

const TEMPLATE: &str = r#"
Globals:
  Function:
    AutoPublishAlias: live
    MemorySize: 256
Resources:
  ToyFunction:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${AWS::StackName}-toy
      Timeout: 10
      Policies:
        - Statement: [{ Effect: Allow, Action: "secretsmanager:Get*", Resource: !Sub "arn:aws:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:pgleap/*" }]
  MainMachine:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Sub ${AWS::StackName}-main
      DefinitionSubstitutions: { ToyFunctionArn: !Ref ToyFunction.Alias }
  RecoverMachine:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Sub ${AWS::StackName}-recover
  EndedBadlyRule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: { source: [aws.states], detail: { status: [FAILED, TIMED_OUT, ABORTED], stateMachineArn: [!Ref MainMachine] } }
      Targets:
        - Id: recover
          Arn: !Ref RecoverMachine
          InputTransformer: { InputPathsMap: { execution: $.detail.executionArn }, InputTemplate: '{"executionArn": <execution>}' }
"#;

/// Passes its input to the toy function, retried once when the process dies.
const MAIN: &str = r#"{"QueryLanguage": "JSONata", "StartAt": "Toy", "States": {"Toy": {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Arguments": {"FunctionName": "${ToyFunctionArn}", "Payload": "{% $states.input %}"},
    "Output": "{% $states.result.Payload %}",
    "Retry": [{"ErrorEquals": ["Runtime.ExitError"], "IntervalSeconds": 1, "MaxAttempts": 1}],
    "End": true
}}}"#;

const RECOVER: &str = r#"{"QueryLanguage": "JSONata", "StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}"#;

struct Stack {
    aws: LocalAws,
    config: SdkConfig,
    main: String,
    recover: String,
}

async fn deployed(config: Config) -> Stack {
    let aws = LocalAws::start(config).await.unwrap();
    let template = Template::read(TEMPLATE, &BTreeMap::new()).unwrap();
    let definitions = [("MainMachine", MAIN), ("RecoverMachine", RECOVER)];
    let definitions = definitions.map(|(id, text)| (id.to_owned(), text.to_owned())).into();
    let made = aws.deploy(&template, &examples(), &definitions).await.unwrap();
    let config = sdk(&aws, "operator");
    let [main, recover] = ["MainMachine", "RecoverMachine"].map(|id| made.machines[id].clone());
    Stack { aws, config, main, recover }
}

/// Where the toy function of the Lambda host's tests is built.
fn examples() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples")
}

fn sdk(aws: &LocalAws, access_key_id: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(aws.url())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            access_key_id,
            "local",
            None,
            None,
            "test",
        )))
        .build()
}

impl Stack {
    fn states(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.config)
    }

    async fn start(&self, input: &str) -> String {
        let started = self.states().start_execution().state_machine_arn(&self.main).input(input).send().await;
        started.unwrap().execution_arn
    }

    async fn ended(&self, execution: &str) -> aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput {
        let states = self.states();
        let limit = Instant::now() + Duration::from_secs(20);
        loop {
            let seen = states.describe_execution().execution_arn(execution).send().await.unwrap();
            if seen.status().as_str() != "RUNNING" {
                return seen;
            }
            assert!(Instant::now() < limit, "{seen:?}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// The input of the recovery that is started within the limit.
    async fn recovery(&self, limit: Duration) -> Option<serde_json::Value> {
        let (states, end) = (self.states(), Instant::now() + limit);
        while Instant::now() < end {
            let page = states.list_executions().state_machine_arn(&self.recover).send().await.unwrap();
            if let Some(first) = page.executions().first() {
                let seen = states.describe_execution().execution_arn(first.execution_arn()).send().await.unwrap();
                return serde_json::from_str(seen.input().unwrap()).ok();
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        None
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_runs_its_functions_and_survives_the_death_of_one() {
    let stack = deployed(Config::default()).await;
    stack.aws.lambda().plan_kill(KillPlan {
        function: "pgleap-toy".to_owned(),
        invocation: 1,
        when: KillWhen::Answered,
    });

    let ended = stack.ended(&stack.start(r#"{"hello": "world"}"#).await).await;

    assert_eq!(ended.status().as_str(), "SUCCEEDED", "{:?}", ended.cause());
    let output: serde_json::Value = serde_json::from_str(ended.output().unwrap()).unwrap();
    assert_eq!(output["event"]["hello"], "world");
    assert_eq!(output["environment"]["PGLEAP_NAMESERVER"], stack.aws.dns_address().to_string());
    let scratch = stack.aws.scratch_folder().to_owned();
    stack.aws.stop().await;
    assert!(!scratch.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_that_is_stopped_is_recovered_by_the_rule() {
    let stack = deployed(Config::default()).await;
    let execution = stack.start(r#"{"do": "sleep", "ms": 5000}"#).await;
    tokio::time::sleep(Duration::from_millis(300)).await;

    stack.states().stop_execution().execution_arn(&execution).error("Operator").send().await.unwrap();

    let input = stack.recovery(Duration::from_secs(2)).await.expect("the rule started the recovery");
    assert_eq!(input["executionArn"], execution);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_starts_a_machine_at_its_time() {
    let stack = deployed(Config::default()).await;
    let scheduler = aws_sdk_scheduler::Client::new(&stack.config);
    let at = SystemTime::now() + Duration::from_secs(2);
    let at = aws_sdk_scheduler::primitives::DateTime::from_secs(
        i64::try_from(at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap(),
    );
    let at = at.fmt(aws_sdk_scheduler::primitives::DateTimeFormat::DateTime).unwrap();
    let create = || {
        let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().unwrap();
        let target = Target::builder()
            .arn(&stack.recover)
            .role_arn("arn:aws:iam::111122223333:role/deadline-role")
            .input(r#"{"reason":"deadline"}"#);
        scheduler
            .create_schedule()
            .name("pgleap-deadline")
            .client_token("one")
            .schedule_expression(format!("at({})", at.trim_end_matches('Z')))
            .flexible_time_window(window)
            .action_after_completion(ActionAfterCompletion::Delete)
            .target(target.build().unwrap())
    };

    create().send().await.unwrap();
    create().send().await.unwrap();
    let other = create().client_token("two").send().await.unwrap_err().into_service_error();
    assert!(other.is_conflict_exception(), "{other:?}");

    let input = stack.recovery(Duration::from_secs(5)).await.expect("the schedule fired");
    assert_eq!(input["reason"], "deadline");
    let gone = scheduler.delete_schedule().name("pgleap-deadline").send().await.unwrap_err().into_service_error();
    assert!(gone.is_resource_not_found_exception(), "it deleted itself: {gone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_may_call_what_its_policy_lists_and_no_more() {
    let stack = deployed(Config { step_functions: true, ..Config::default() }).await;
    let operator = aws_sdk_secretsmanager::Client::new(&stack.config);
    operator.create_secret().name("pgleap/login").secret_string("hush").send().await.unwrap();
    let toy = aws_sdk_secretsmanager::Client::new(&sdk(&stack.aws, "pgleap-toy"));

    operator.create_secret().name("other").secret_string("hush").send().await.unwrap();

    let read = toy.get_secret_value().secret_id("pgleap/login").send().await.unwrap();
    let other = toy.get_secret_value().secret_id("other").send().await.unwrap_err();
    let deleted = toy.delete_secret().secret_id("pgleap/login").send().await.unwrap_err();

    assert_eq!(read.secret_string(), Some("hush"));
    let codes = [other.as_service_error().unwrap().meta().code(), deleted.as_service_error().unwrap().meta().code()];
    assert_eq!(codes, [Some("AccessDeniedException"); 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_of_invoke_is_a_client_error_of_the_state() {
    let fault: Fault = "lambda:Invoke:1:lose-answer".parse().unwrap();
    let stack = deployed(Config { faults: vec![fault], ..Config::default() }).await;

    let ended = stack.ended(&stack.start("{}").await).await;

    assert_eq!((ended.status().as_str(), ended.error()), ("FAILED", Some("Lambda.SdkClientException")));
    assert!(stack.recovery(Duration::from_secs(2)).await.is_some(), "and the rule sees the failure");
}
