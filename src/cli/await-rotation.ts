import { type Command, InvalidArgumentError } from 'commander'
import { SealError } from '../errors.ts'
import type { KeyRequest } from '../keys/key-desk.ts'
import {
  type InstanceReport,
  isSettled,
  type RotationReport,
  type RotationServices,
  rotateEverywhere,
  unconfirmed,
} from '../keys/rotation.ts'
import type { RetiredKey } from '../keys/running-keys.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { printable } from './printable.ts'
import { renderJson } from './render.ts'
import { stoppedCode, stopSignal } from './stop-signal.ts'
import { renderCount, renderTable, renderTime } from './table.ts'
import type { Terminal } from './terminal.ts'

/** How the commands that retire keys wait. */
export interface AwaitOptions {
  readonly reason: string
  /** Ids of instances. */
  readonly dead?: readonly string[]
  /** In seconds. */
  readonly timeout: number
  readonly json?: true
}

/** Unless the command is told otherwise. */
const TIMEOUT_SECONDS = 60

const REASON_LENGTH_MAX = 500

const PROGRESS: Readonly<Record<InstanceReport['standing'], string>> = {
  waiting: 'waiting: asked',
  closing: 'closing: windows ended, open segments are being closed',
  retired: 'retired: done',
  stopped: 'stopped in good order, its data keys are gone with it',
  gone: 'gone: it died, or Cassandra is out of its reach',
  dead: 'dead, as you say, and silent',
  refused: 'refused: it goes on as before',
}

/** The options of a command that waits so. */
export function withAwaitOptions(command: Command): Command {
  return command
    .option(
      '--timeout <seconds>',
      'how long to wait for the instances',
      parseSeconds,
      TIMEOUT_SECONDS,
    )
    .option(
      '--dead <instance...>',
      'silent instances that have ended, as you know: do not wait for their word',
    )
    .option('--json', 'print JSON')
}

/** The reason as it is recorded. */
export function parseReason(text: string): string {
  const reason = text.trim()
  if (reason !== '' && reason.length <= REASON_LENGTH_MAX) return reason
  throw new InvalidArgumentError(`a text of 1 to ${REASON_LENGTH_MAX} characters`)
}

/** A time limit in seconds. */
function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (Number.isFinite(seconds) && seconds > 0 && seconds <= 86_400) return seconds
  throw new InvalidArgumentError('a number of seconds up to 86400')
}

/** What a command says beside what they all say. */
export interface RotationWords {
  /** What stands though the waiting has ended. */
  readonly remains: string
  /** Behind the table, with its newline; and as members of the JSON. */
  readonly text: (report: RotationReport) => string
  readonly json: (report: RotationReport) => object
}

/** The words of a request that runs out. */
function requestWords({ requestId }: KeyRequest): RotationWords {
  const remains = `request ${requestId} stands for a day, and every instance that reads it carries it out`
  return { remains, text: () => '', json: () => ({}) }
}

/**
 * Places a request, tells on stderr how it goes, and prints in the end what each instance retired.
 * Sets the exit code when an instance did not confirm or the waiting was ended by a signal.
 */
export async function awaitRotation(
  services: RotationServices,
  request: KeyRequest,
  { timeout, dead = [], json }: Omit<AwaitOptions, 'reason'>,
  terminal: Terminal,
  words = requestWords(request),
): Promise<RotationReport> {
  const stop = stopSignal()
  try {
    const report = await rotateEverywhere(services, request, {
      timeoutMs: timeout * 1000,
      signal: stop.signal,
      dead: new Set(dead),
      onChange: ({ instanceId, standing, refusal }) => {
        const why = refusal === null ? '' : `: ${printable(refusal)}`
        if (!json) terminal.err(`${printable(instanceId)}: ${PROGRESS[standing]}${why}\n`)
      },
    })
    terminal.out(
      json
        ? renderJson({ ...reportJson(report), ...words.json(report) })
        : renderReport(report) + words.text(report),
    )
    conclude(report, { timeout, stopped: stop.signal, remains: words.remains }, terminal)
    return report
  } finally {
    stop.release()
  }
}

function reportJson(report: RotationReport) {
  const { request, instances } = report
  return { ...request, isComplete: isComplete(report), instances }
}

/** Whether every instance confirmed, of which there was at least one. */
export function isComplete(report: RotationReport): boolean {
  return report.instances.length > 0 && unconfirmed(report).length === 0
}

function conclude(
  report: RotationReport,
  {
    timeout,
    stopped,
    remains,
  }: { readonly timeout: number; readonly stopped: AbortSignal; readonly remains: string },
  terminal: Terminal,
): void {
  if (isComplete(report)) {
    if (report.instances.every(({ retired }) => retired.length === 0)) {
      terminal.err(`sealstream: no data key ${scopeText(report.request)} was in use\n`)
    }
    return
  }
  if (stopped.aborted && !isSettled(report)) {
    terminal.exitCode = stoppedCode(stopped)
    terminal.err(`sealstream: the waiting was interrupted; ${remains}\n`)
    return
  }
  terminal.exitCode = EXIT_CODES.unanswered
  const ids = unconfirmed(report).map((one) => `${printable(one.instanceId)} (${one.standing})`)
  const late = isSettled(report) ? '' : ` within ${timeout} s`
  const total = report.instances.length
  const what =
    total === 0
      ? 'no instance of this keyspace is running, so no data key was retired'
      : `${unconfirmed(report).length} of ${total} instances did not confirm${late}: ${ids.join(', ')}`
  terminal.err(`sealstream: ${what}; ${remains}\n`)
}

function scopeText({ scope: { dekId, keyDomain } }: KeyRequest): string {
  if (dekId !== null) return dekId
  return keyDomain === null ? 'at all' : `of key domain ${printable(keyDomain)}`
}

/** A line a retired DEK, and one for each instance that retired none. */
export function renderReport({ instances }: RotationReport): string {
  const head = ['INSTANCE', 'KEY DOMAIN', 'RETIRED DEK', 'LAST USED', 'MESSAGES']
  const rows = instances.flatMap(({ instanceId, standing, retired }) =>
    retired.length === 0
      ? [[instanceId, '-', standing === 'retired' ? 'none in scope' : standing, '-', '-']]
      : retired.map((key) => [instanceId, key.keyDomain, key.dekId, lastUse(key), messages(key)]),
  )
  return rows.length === 0 ? '' : renderTable(head, rows, ['MESSAGES'])
}

const lastUse = ({ lastUsedAtMs }: RetiredKey) =>
  lastUsedAtMs === null ? 'never' : renderTime(lastUsedAtMs)
const messages = (key: RetiredKey) => renderCount(key.messages)

/** A key domain as it is given. Throws SEAL_INPUT_INVALID for an empty one. */
export function domainOf(domain: string | undefined): string | null {
  if (domain === '') throw new SealError('SEAL_INPUT_INVALID', '--domain is empty')
  return domain ?? null
}
