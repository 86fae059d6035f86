import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError, Option } from 'commander'
import { messageOf } from '../../src/errors.ts'
import { PORT_BASE_DEFAULT, PORT_NAMES, portFlag, portsFrom, portVariable } from './ports.ts'
import { resetStack, stackStatus, startStack, stopStack } from './stack.ts'
import { StackError } from './stack-error.ts'
import type { StackEvent, StackPorts } from './stack-model.ts'
import { eventLine, paintFor, statusTable } from './stack-terminal.ts'

const DIRECTORY_DEFAULT = fileURLToPath(new URL('../../.stack', import.meta.url))

const EXAMPLES = `
Examples:
  npm run stack start                             start what is not running, install what is absent
  npm run stack start -- --port-base 21000        all ports from 21000 on
  npm run stack start -- --port-base free         ports that nobody uses
  npm run stack start -- --kafka-port 9092        one port apart from the others
  npm run stack status -- --json | jq .endpoints  where everything answers, for a script
  npm run stack reset                             stop and delete all data

Exit code: 0 when all parts are up (start, status) or the work is done (stop, reset), else 1.`

interface CommonFlags {
  readonly directory: string
  readonly json?: boolean
}

type StartFlags = CommonFlags & {
  readonly portBase: number | 'free'
  readonly docker?: boolean
} & {
  readonly [key: string]: unknown
}

const program = new Command('stack')
  .description('Kafka, Cassandra, S3 and KMS on this machine, for development and tests')
  .addHelpText('after', EXAMPLES)
  .showHelpAfterError('(--help shows the commands and examples)')

const start = command(
  'start',
  'start the parts that are not running; install those that are absent',
)
  .addOption(
    new Option('--port-base <port>', `first of ${PORT_NAMES.length} ports in a row, or "free"`)
      .default(PORT_BASE_DEFAULT)
      .env('SEALSTREAM_STACK_PORT_BASE')
      .argParser((text) => (text === 'free' ? text : parsePort(text))),
  )
  .option('--docker', 'run the containers of docker/compose.yaml')
  .action(runStart)
for (const name of PORT_NAMES) {
  const option = new Option(`${portFlag(name)} <port>`, `port of ${name} alone`)
  start.addOption(option.env(portVariable(name)).argParser(parsePort))
}

command('stop', 'end every part; data stays').action(async (flags: CommonFlags) => {
  const stopped = await stopStack(flags.directory, progress(flags))
  if (flags.json) print(JSON.stringify({ stopped }))
  else if (stopped.length === 0) print('nothing was running')
})

command('status', 'ask every part with a real request').action(runStatus)

command('reset', 'stop and delete data, logs and state; installed parts stay').action(
  async (flags: CommonFlags) => {
    const stopped = await resetStack(flags.directory, progress(flags))
    print(flags.json ? JSON.stringify({ stopped }) : `data deleted: ${flags.directory}`)
  },
)

try {
  await program.parseAsync()
} catch (error) {
  const paint = paintFor(process.stderr)
  const tail = error instanceof StackError ? error.tail : []
  const lines = [paint('bad', `error: ${messageOf(error)}`), ...tail.map((line) => `  ${line}`)]
  process.stderr.write(`${lines.join('\n')}\n`)
  process.exitCode = 1
}

async function runStart(flags: StartFlags): Promise<void> {
  const endpoints = await startStack({
    directory: flags.directory,
    ports: chosenPorts(flags),
    report: progress(flags),
    ...(flags.docker === undefined ? {} : { docker: flags.docker }),
  })
  if (flags.json) print(JSON.stringify(endpoints, null, 2))
}

async function runStatus(flags: CommonFlags): Promise<void> {
  const status = await stackStatus(flags.directory)
  print(
    flags.json ? JSON.stringify(status, null, 2) : statusTable(status, paintFor(process.stdout)),
  )
  if (!status.up) process.exitCode = 1
}

function chosenPorts(flags: StartFlags): StackPorts | 'free' {
  const single = PORT_NAMES.flatMap((name) => {
    const port = flags[`${name}Port`]
    return typeof port === 'number' ? [[name, port] as const] : []
  })
  if (flags.portBase !== 'free')
    return { ...portsFrom(flags.portBase), ...Object.fromEntries(single) }
  if (single.length === 0) return 'free'
  throw new StackError('STACK_PORT_REFUSED', '--port-base free goes with no other port flag')
}

function command(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .addOption(
      new Option('--directory <path>', 'logs, data and state of the stack')
        .default(DIRECTORY_DEFAULT, '.stack in the checkout')
        .env('SEALSTREAM_STACK_DIRECTORY')
        .argParser((path) => resolve(path)),
    )
    .option('--json', 'print JSON on stdout, progress on stderr')
}

function parsePort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 1024 && port <= 65_535) return port
  throw new InvalidArgumentError('a port is a whole number from 1024 to 65535.')
}

function progress(flags: CommonFlags): (event: StackEvent) => void {
  const output = flags.json ? process.stderr : process.stdout
  const paint = paintFor(output)
  return (event) => output.write(`${eventLine(event, paint)}\n`)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
