"""Run cfn-lint on the template, then the transform that CloudFormation would do, offline. Both must succeed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")  # the transform requires one, but calls nothing

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra/template.yaml"
TRANSFORMED = ROOT / "target/template.transformed.json"


def lint() -> bool:
    # Not through its program, which contains the path of the Python with which it was installed; the folder may have moved.
    program = "import sys; from cfnlint.runner import main; sys.exit(main())"
    linter = [sys.executable, "-c", program, "--non-zero-exit-code", "informational", str(TEMPLATE)]
    return subprocess.run(linter, check=False).returncode == 0


def transform() -> dict:
    """Transform the template as CloudFormation does. Managed policies have the ARNs that AWS documents."""
    template = yaml_parse(TEMPLATE.read_text())
    stub_what_package_uploads(template)
    translator = Translator({"AWSLambdaVPCAccessExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"}, Parser())
    return translator.translate(template, parameter_values={})


def stub_what_package_uploads(template: dict) -> None:
    """Replace paths by addresses in S3, as `package` does; the transform requires them."""
    for resource in template["Resources"].values():
        for name in ("CodeUri", "DefinitionUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = {"Bucket": "packages", "Key": name}


def names_what_is_there(template: dict) -> list[str]:
    """List steps without a zip in the template, and zips in the template without a step."""
    mains = [*ROOT.glob("functions/*/src/main.rs"), *ROOT.glob("engines/*/*/src/main.rs")]
    steps = {main.parent.parent.name for main in mains}
    packed = set(re.findall(r"\.\./target/lambda/([a-z-]+)/bootstrap\.zip", TEMPLATE.read_text()))
    return [f"the template does not name the zip of {step}" for step in sorted(steps - packed)] + [
        f"the template names the zip of {step}, which is not a step" for step in sorted(packed - steps)
    ]


def main() -> int:
    if not lint():
        return 1
    transformed = transform()
    problems = names_what_is_there(transformed)
    for problem in problems:
        print(f"{TEMPLATE}: {problem}", file=sys.stderr)
    TRANSFORMED.parent.mkdir(parents=True, exist_ok=True)
    TRANSFORMED.write_text(json.dumps(transformed, indent=2, default=str))
    if not problems:
        print(f"{TEMPLATE.relative_to(ROOT)}: cfn-lint found nothing; the transform produced {len(transformed['Resources'])} resources")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
