import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { CASSANDRA_DATACENTER, cassandraContactPoint, cassandraPart } from './cassandra-part.ts'
import { dockerEngineAnswers, dockerRunner } from './docker-runner.ts'
import { missingPrerequisites } from './install.ts'
import { kafkaBroker, kafkaPart } from './kafka-part.ts'
import { kmsEndpoint, kmsPart } from './kms-part.ts'
import { withLock } from './lock.ts'
import { nativeRunner } from './native-runner.ts'
import type { Part, PartContext } from './part.ts'
import { checkPorts, PORT_NAMES, pickFreePorts, takenPorts } from './ports.ts'
import { missingToolsError } from './prerequisites.ts'
import { rssBytes } from './process-identity.ts'
import { answers, waitUntilReady } from './readiness.ts'
import type { Runner } from './runner.ts'
import { s3Endpoint, s3Part } from './s3-part.ts'
import { StackError } from './stack-error.ts'
import type {
  PartName,
  PartStatus,
  StackEndpoints,
  StackPorts,
  StackReporter,
  StackStatus,
} from './stack-model.ts'
import {
  eraseStackFiles,
  publishEndpoints,
  readEndpoints,
  readStackRecord,
  writeStackRecord,
} from './stack-record.ts'

export type { StackEndpoints, StackEvent, StackPorts, StackStatus } from './stack-model.ts'

const PARTS: readonly Part[] = [kafkaPart, cassandraPart, s3Part, kmsPart]
const LOCK_WAIT_MS = 20 * 60_000

/** What {@link startStack} needs to know. */
export interface StackOptions {
  /** Absolute; logs, data and state live there. Created when absent. */
  readonly directory: string
  /** `free` picks ports nobody uses, and keeps those of an earlier start while they are free. */
  readonly ports: StackPorts | 'free'
  readonly report?: StackReporter
  /** Run the containers of docker/compose.yaml even though everything native is there. */
  readonly docker?: boolean
}

/**
 * Brings every part up and returns where they answer. Parts that run are kept, absent ones are
 * installed and started; when one fails, those started by this call are ended again.
 * Throws a StackError.
 */
export async function startStack(options: StackOptions): Promise<StackEndpoints> {
  const directory = resolve(options.directory)
  return withLock(lockPath(directory), LOCK_WAIT_MS, async () => {
    const runner = await chooseRunner(directory, options.docker ?? false)
    const report = options.report ?? (() => {})
    let ports = await decidePorts(directory, options.ports, runner)
    try {
      return await bringUp({ directory, ports }, runner, report)
    } catch (error) {
      // A free port was lost between the pick and the start: the only failure worth a second try.
      const lost = options.ports === 'free' && (await takenPorts(ports, PORT_NAMES)).length > 0
      if (!lost || (await runningParts({ directory, ports }, runner)).size > 0) throw error
      ports = await pickFreePorts()
      return bringUp({ directory, ports }, runner, report)
    }
  })
}

/** Ends every part and resolves with those that ran. Data and installed parts stay. */
export async function stopStack(
  directory: string,
  report: StackReporter = () => {},
): Promise<readonly PartName[]> {
  const home = resolve(directory)
  if (!existsSync(home)) return []
  return withLock(lockPath(home), LOCK_WAIT_MS, () => bringDown(home, report))
}

/** Stops the stack and deletes its data, logs and state. Installed parts stay. */
export async function resetStack(
  directory: string,
  report: StackReporter = () => {},
): Promise<readonly PartName[]> {
  const home = resolve(directory)
  if (!existsSync(home)) return []
  return withLock(lockPath(home), LOCK_WAIT_MS, async () => {
    const ended = await bringDown(home, report)
    const record = readStackRecord(home)
    if (record !== null) {
      await runnerNamed(record.runner).erase({ directory: home, ports: record.ports })
    }
    eraseStackFiles(home)
    return ended
  })
}

/** How the stack of a directory is now; every part is asked with a real request. */
export async function stackStatus(directory: string): Promise<StackStatus> {
  const home = resolve(directory)
  const record = readStackRecord(home)
  if (record === null) return { directory: home, up: false, parts: [], endpoints: null }
  const context: PartContext = { directory: home, ports: record.ports }
  const runner = runnerNamed(record.runner)
  const parts = await Promise.all(PARTS.map((part) => partStatus(part, context, runner)))
  const up = parts.every((part) => part.state === 'up')
  return { directory: home, up, parts, endpoints: readEndpoints(home) }
}

async function chooseRunner(directory: string, docker: boolean): Promise<Runner> {
  const record = readStackRecord(directory)
  if (
    record !== null &&
    (await runningParts({ directory, ports: record.ports }, runnerNamed(record.runner))).size > 0
  ) {
    return runnerNamed(record.runner)
  }
  const missing = await missingPrerequisites()
  if (missing.length === 0 && !docker) return nativeRunner
  if (await dockerEngineAnswers()) return dockerRunner
  if (missing.length > 0) throw missingToolsError(missing)
  throw new StackError(
    'STACK_TOOL_MISSING',
    'no Docker engine answers: start it, or leave out --docker',
  )
}

async function decidePorts(
  directory: string,
  wanted: StackPorts | 'free',
  runner: Runner,
): Promise<StackPorts> {
  const recorded = readStackRecord(directory)?.ports
  if (recorded !== undefined) {
    const running = await runningParts({ directory, ports: recorded }, runner)
    const same = wanted === 'free' || PORT_NAMES.every((name) => wanted[name] === recorded[name])
    if (running.size > 0 && !same) {
      throw new StackError(
        'STACK_PORT_REFUSED',
        `the stack in ${directory} runs on other ports: stop it first, or keep them by --port-base free`,
      )
    }
    const needed = absentPortNames(running)
    if (
      wanted === 'free' &&
      (running.size > 0 || (await takenPorts(recorded, needed)).length === 0)
    ) {
      return recorded
    }
  }
  return wanted === 'free' ? pickFreePorts() : wanted
}

async function bringUp(
  context: PartContext,
  runner: Runner,
  report: StackReporter,
): Promise<StackEndpoints> {
  const kept = await runningParts(context, runner)
  await checkPorts(context.ports, absentPortNames(kept))
  if (kept.size < PARTS.length) await runner.install(context, report)
  writeStackRecord(context.directory, { runner: runner.name, ports: context.ports })
  const failure = await bringAllUp(context, runner, report, kept)
  if (failure !== null) {
    await Promise.all(
      PARTS.filter((part) => !kept.has(part.name)).map((part) => runner.end(part, context)),
    )
    throw failure
  }
  const endpoints = describe(context, await runningParts(context, runner))
  publishEndpoints(context.directory, endpoints)
  return endpoints
}

// The first failure calls off the other parts; all have settled when this resolves with it.
async function bringAllUp(
  context: PartContext,
  runner: Runner,
  report: StackReporter,
  kept: ReadonlyMap<PartName, number>,
): Promise<Error | null> {
  const callOff = new AbortController()
  let failure: Error | null = null
  await Promise.all(
    PARTS.map(async (part) => {
      try {
        await bringPartUp(part, context, runner, report, kept.has(part.name), callOff.signal)
      } catch (error) {
        failure ??= error as Error
        callOff.abort()
      }
    }),
  )
  return failure
}

async function bringPartUp(
  part: Part,
  context: PartContext,
  runner: Runner,
  report: StackReporter,
  isKept: boolean,
  signal: AbortSignal,
): Promise<void> {
  const startMs = systemClock.elapsedMs()
  const tell = (step: 'starting' | 'ready' | 'kept') =>
    report({
      part: part.name,
      step,
      detail: part.address(context.ports),
      elapsedMs: systemClock.elapsedMs() - startMs,
    })
  if (!isKept) {
    tell('starting')
    await runner.launch(part, context)
  }
  await waitUntilReady(part, context, runner, signal)
  tell(isKept ? 'kept' : 'ready')
}

async function bringDown(directory: string, report: StackReporter): Promise<readonly PartName[]> {
  const record = readStackRecord(directory)
  if (record === null) return []
  const context: PartContext = { directory, ports: record.ports }
  const runner = runnerNamed(record.runner)
  publishEndpoints(directory, null)
  const ended = await Promise.all(
    PARTS.map(async (part) => {
      const startMs = systemClock.elapsedMs()
      if (!(await runner.end(part, context))) return []
      const elapsedMs = systemClock.elapsedMs() - startMs
      report({ part: part.name, step: 'stopped', detail: '', elapsedMs })
      return [part.name]
    }),
  )
  return ended.flat()
}

async function partStatus(part: Part, context: PartContext, runner: Runner): Promise<PartStatus> {
  const running = await runner.running(part, context)
  const state = running === null ? 'down' : (await answers(part, context)) ? 'up' : 'silent'
  return {
    part: part.name,
    state,
    pid: running?.pid ?? null,
    address: part.address(context.ports),
    logPath: runner.logPlace(part, context),
    uptimeMs: running === null ? null : systemClock.nowMs() - running.startedAtMs,
    rssBytes: running === null ? null : await rssBytes(running.pid),
  }
}

async function runningParts(context: PartContext, runner: Runner): Promise<Map<PartName, number>> {
  const pairs = await Promise.all(
    PARTS.map(async (part) => [part.name, (await runner.running(part, context))?.pid] as const),
  )
  return new Map(pairs.flatMap(([name, pid]) => (pid === undefined ? [] : [[name, pid]])))
}

function absentPortNames(running: ReadonlyMap<PartName, number>): (keyof StackPorts)[] {
  return PARTS.filter((part) => !running.has(part.name)).flatMap((part) => part.portNames)
}

function runnerNamed(name: 'native' | 'docker'): Runner {
  return name === 'native' ? nativeRunner : dockerRunner
}

function describe(
  { directory, ports }: PartContext,
  pids: ReadonlyMap<PartName, number>,
): StackEndpoints {
  const pid = (part: PartName) => pids.get(part) ?? 0
  return {
    kafka: { brokers: [kafkaBroker(ports)] },
    cassandra: {
      contactPoints: [cassandraContactPoint(ports)],
      localDatacenter: CASSANDRA_DATACENTER,
    },
    s3: s3Endpoint(ports),
    kms: kmsEndpoint(ports),
    processes: { kafka: pid('kafka'), cassandra: pid('cassandra'), s3: pid('s3'), kms: pid('kms') },
    directory,
  }
}

function lockPath(directory: string): string {
  return join(directory, 'stack.lock')
}
