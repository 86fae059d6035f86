import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type { PartContext } from './part.ts'
import { PORT_NAMES, portVariable } from './ports.ts'
import { runTool, tryTool } from './run-tool.ts'
import type { Runner } from './runner.ts'

const COMPOSE_FILE = fileURLToPath(new URL('../compose.yaml', import.meta.url))
const TAIL_LINES_MAX = 20

/** True when a Docker engine answers; a client without an engine does not count. */
export async function dockerEngineAnswers(): Promise<boolean> {
  const { code, output } = await tryTool('docker', ['info', '--format', '{{.ServerVersion}}'])
  return code === 0 && /^\d+\./.test(output.trim())
}

/** Runs the parts as containers of docker/compose.yaml, one compose project a stack directory. */
export const dockerRunner: Runner = {
  name: 'docker',
  async install(context, report) {
    const step = { part: 'kafka', detail: 'images of docker/compose.yaml', elapsedMs: 0 } as const
    report({ ...step, step: 'installing' })
    await compose(context, ['up', '--no-start'])
    report({ ...step, step: 'installed' })
  },
  launch: (part, context) => compose(context, ['start', part.name]),
  async running(part, context) {
    const container = (await ask(context, ['ps', '--quiet', part.name])).trim()
    if (container === '') return null
    const format = '{{.State.Pid}} {{.State.StartedAt}}'
    const { output } = await tryTool('docker', ['inspect', '--format', format, container])
    const [pid, startedAt] = output.trim().split(' ')
    return pid === undefined || startedAt === undefined
      ? null
      : { pid: Number(pid), startedAtMs: Date.parse(startedAt) }
  },
  async end(part, context) {
    const wasRunning = (await this.running(part, context)) !== null
    await compose(context, ['stop', part.name])
    return wasRunning
  },
  logPlace: (part, context) => `docker compose -p ${project(context)} logs ${part.name}`,
  async logTail(part, context) {
    const output = await ask(context, ['logs', '--no-color', part.name])
    return output.trimEnd().split('\n').slice(-TAIL_LINES_MAX)
  },
  erase: (context) => compose(context, ['down', '--volumes']),
}

async function compose(context: PartContext, args: readonly string[]): Promise<void> {
  const all = [...composeArguments(context), ...args]
  await runTool(`docker compose ${args.join(' ')}`, 'docker', all, { env: variables(context) })
}

async function ask(context: PartContext, args: readonly string[]): Promise<string> {
  const all = [...composeArguments(context), ...args]
  return (await tryTool('docker', all, { env: variables(context) })).output
}

function composeArguments(context: PartContext): string[] {
  return ['compose', '--project-name', project(context), '--file', COMPOSE_FILE]
}

function project({ directory }: PartContext): string {
  const mark = createHash('sha256').update(directory).digest('hex').slice(0, 8)
  return `sealstream-${mark}`
}

function variables({ ports }: PartContext): Record<string, string> {
  return Object.fromEntries(PORT_NAMES.map((name) => [portVariable(name), String(ports[name])]))
}
