/**
 * Prints the closing line of the test run, `N passed, N failed, N skipped`, from vitest's JSON report, and before it
 * each test that passed only when it was tried again, with what failed first.
 * Exits 1 when a test failed, a test file could not be loaded, or there was no test at all.
 */
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import process from 'node:process';

interface TestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const file = process.argv[2]!;
if (existsSync(file)) {
  const report = JSON.parse(readFileSync(file, 'utf8')) as TestReport;
  // A file that throws while it is loaded, or when it sets up or cleans up, fails as one.
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  for (const { name, assertionResults } of report.testResults) {
    for (const { fullName, status, failureMessages } of assertionResults) {
      if (status === 'passed' && failureMessages.length > 0)
        console.log(`Passed on the second try: ${relative('.', name)}: ${fullName}\n  ${failureMessages.join('\n  ')}`);
    }
  }
  const passed = report.numPassedTests;
  const failed = report.numFailedTests + broken.length;
  console.log(`${passed} passed, ${failed} failed, ${report.numPendingTests + report.numTodoTests} skipped`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
} else {
  console.log('0 passed, 0 failed, 0 skipped');
  process.exitCode = 1;
}
