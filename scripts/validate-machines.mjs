// Runs two States Language validators on rendered machines, because each misses mistakes that the other finds. tests/contract
// checks what both miss (the order of States.ALL, undefined variables, error codes that no step returns).
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(new URL("../.local/validators/package.json", import.meta.url));
const aslValidator = require("asl-validator");
const { getLanguageService } = require("amazon-states-language-service");
const { TextDocument } = require("vscode-languageserver-textdocument");

let failed = 0;
for (const path of process.argv.slice(2)) {
  // The validators require ARNs where a deployment has placeholders.
  const text = readFileSync(path, "utf8").replaceAll(/\$\{(\w+)FunctionArn\}/g, "arn:aws:lambda:eu-west-1:111122223333:function:$1");
  const problems = [];

  const { isValid, errors } = aslValidator(JSON.parse(text));
  if (!isValid) problems.push(...errors.map((error) => `asl-validator: ${JSON.stringify(error)}`));

  const service = getLanguageService({});
  const document = TextDocument.create("file:///machine.asl.json", "asl", 1, text);
  const diagnostics = await service.doValidation(document, service.parseJSONDocument(document));
  problems.push(...diagnostics.map((found) => `amazon-states-language-service: ${found.message} (line ${found.range.start.line + 1})`));

  for (const problem of problems) console.error(`${path}: ${problem}`);
  if (problems.length === 0) console.log(`${path}: valid`);
  failed += problems.length;
}
process.exit(failed === 0 ? 0 : 1);
