import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { withLock } from '../../docker/stack/lock.ts'
import { type DemoOutcome, endDemo, failedLogsOf, isKept, runDemo } from './demo.ts'
import { DemoRefused, Interrupted } from './demo-error.ts'
import { failureLines } from './failure-lines.ts'
import { flightsLoad } from './flights.ts'
import { inputLoad } from './input.ts'
import { mailsLoad } from './mails.ts'
import { renderReport } from './render-report.ts'
import { Screen } from './screen.ts'

const DIRECTORY = fileURLToPath(new URL('../../.stack/demo', import.meta.url))
const REPORT = join(DIRECTORY, 'report.json')

const EXAMPLES = `
Examples:
  npm run demo                                  6,046 mails and 200,000 flights, about a minute
  npm run demo -- --keep                        leave it all running, with commands to look at it
  npm run demo -- --stop                        end what --keep left, delete its data
  npm run demo -- --input orders.ndjson         seal your own messages, one JSON object a line:
                                                {"key":"a1","value":{"total":9},"headers":{"h":"x"}}
  tail -n 500 app.log | npm run demo -- --input -   any lines will do
  npm run -s demo -- --json | jq .loads         the report for a script, progress on stderr

Exit code: 0 when every message came back unchanged and no plaintext was found, 130 after Ctrl-C, else 1.`

interface Flags {
  readonly input?: string
  readonly keep?: true
  readonly stop?: true
  readonly json?: true
}

const program = new Command('demo')
  .description('Seals real data on real services of this machine and checks every byte of it')
  .option('--input <file>', 'seal this file (NDJSON or plain lines, - is stdin) instead')
  .option('--keep', 'leave services and encryptor running')
  .option('--stop', 'end what an earlier --keep left, and delete its data')
  .option('--json', 'print the report as JSON on stdout, progress on stderr')
  .addHelpText('after', EXAMPLES)
  .showHelpAfterError('(--help shows the options and examples)')
  .action(act)

await program.parseAsync()

async function act(flags: Flags): Promise<void> {
  const screen = new Screen(flags.json ? process.stderr : process.stdout)
  const stopping = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      // Asked twice: whoever asks does not want to wait for a clean end.
      if (stopping.signal.aborted) process.exit(new Interrupted(name).exitCode)
      stopping.abort(new Interrupted(name))
    })
  }
  stopping.signal.addEventListener('abort', () => screen.line('\n  stopping, one moment'))
  mkdirSync(DIRECTORY, { recursive: true })
  try {
    await withLock(join(DIRECTORY, 'demo.lock'), 0, () => obey(flags, screen, stopping.signal))
  } catch (error) {
    process.exitCode = explain(stopping.signal.aborted ? stopping.signal.reason : error, screen)
  }
}

async function obey(flags: Flags, screen: Screen, signal: AbortSignal): Promise<void> {
  if (flags.stop) {
    const hadAny = await endDemo(DIRECTORY)
    screen.line(hadAny ? 'stopped, data deleted' : 'nothing was running')
    return
  }
  const loads = flags.input === undefined ? [mailsLoad(), flightsLoad()] : [inputLoad(flags.input)]
  if (await isKept(DIRECTORY)) {
    throw new DemoRefused('a kept demo is running: npm run demo -- --stop ends it')
  }
  rmSync(REPORT, { force: true })
  const outcome = await runDemo(
    { directory: DIRECTORY, loads, keep: flags.keep ?? false },
    screen,
    signal,
  )
  show(outcome, flags, screen)
}

function show({ report, hints }: DemoOutcome, flags: Flags, screen: Screen): void {
  const json = `${JSON.stringify(report, null, 2)}\n`
  writeFileSync(REPORT, json)
  if (flags.json) process.stdout.write(json)
  else {
    screen.heading('Report')
    for (const line of renderReport(report, screen.paint)) screen.line(line)
  }
  if (hints.length > 0) screen.heading('Kept')
  for (const line of hints) screen.line(line)
  screen.line(`\n  the report as JSON: ${relative(process.cwd(), REPORT)}`)
}

/** Says what went wrong and where to read on. Gives the exit code. */
function explain(error: unknown, screen: Screen): number {
  if (error instanceof Interrupted) {
    screen.line(`  ${error.message}, everything was stopped and its data deleted`)
    return error.exitCode
  }
  for (const line of failureLines(error, failedLogsOf(DIRECTORY))) process.stderr.write(`${line}\n`)
  return 1
}
