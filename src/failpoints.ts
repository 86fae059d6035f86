import { type ErrorCode, SealError } from './errors.ts'

/** The variable that arms a failpoint: `<label>:<exit|stop|throw>[:<nth time>]`. */
export const FAILPOINT_VARIABLE = 'SEALSTREAM_FAILPOINT'

/**
 * Every step of the road that has an effect outside of the process, in the order of the road, with
 * what its service is said to fail by under `throw`. There is a failpoint before each and one after.
 */
const ROAD_STEPS = {
  'lane-open': 'SEAL_KAFKA_UNAVAILABLE',
  'offsets-read': 'SEAL_KAFKA_UNAVAILABLE',
  'dek-wrap': 'SEAL_KMS_UNAVAILABLE',
  'dek-record': 'SEAL_MAPPING_UNAVAILABLE',
  'dek-directory': 'SEAL_STORE_UNAVAILABLE',
  'dek-events': 'SEAL_MAPPING_UNAVAILABLE',
  intent: 'SEAL_MAPPING_UNAVAILABLE',
  places: 'SEAL_MAPPING_UNAVAILABLE',
  'upload-open': 'SEAL_STORE_UNAVAILABLE',
  'part-upload': 'SEAL_STORE_UNAVAILABLE',
  'object-put': 'SEAL_STORE_UNAVAILABLE',
  rows: 'SEAL_MAPPING_UNAVAILABLE',
  'upload-complete': 'SEAL_STORE_UNAVAILABLE',
  'source-totals': 'SEAL_MAPPING_UNAVAILABLE',
  'sealed-mark': 'SEAL_MAPPING_UNAVAILABLE',
  references: 'SEAL_KAFKA_UNAVAILABLE',
  offsets: 'SEAL_KAFKA_UNAVAILABLE',
  commit: 'SEAL_KAFKA_UNAVAILABLE',
  'published-mark': 'SEAL_MAPPING_UNAVAILABLE',
} as const satisfies Readonly<Record<string, ErrorCode>>

/** The same for the re-encryption of a segment. */
const REENCRYPTION_STEPS = {
  'replacing-intent': 'SEAL_MAPPING_UNAVAILABLE',
  'reseal-open': 'SEAL_STORE_UNAVAILABLE',
  'reseal-part': 'SEAL_STORE_UNAVAILABLE',
  'reseal-put': 'SEAL_STORE_UNAVAILABLE',
  'reseal-complete': 'SEAL_STORE_UNAVAILABLE',
  'resealed-mark': 'SEAL_MAPPING_UNAVAILABLE',
  'republished-mark': 'SEAL_MAPPING_UNAVAILABLE',
  'old-version': 'SEAL_STORE_UNAVAILABLE',
  'replaced-mark': 'SEAL_MAPPING_UNAVAILABLE',
} as const satisfies Readonly<Record<string, ErrorCode>>

/** The same for the shredding of a DEK. */
const SHRED_STEPS = {
  'shred-wrap': 'SEAL_MAPPING_UNAVAILABLE',
  'shred-version': 'SEAL_STORE_UNAVAILABLE',
  'shred-mark': 'SEAL_STORE_UNAVAILABLE',
  'shred-upload': 'SEAL_STORE_UNAVAILABLE',
  'shred-record': 'SEAL_MAPPING_UNAVAILABLE',
  'shred-event': 'SEAL_MAPPING_UNAVAILABLE',
} as const satisfies Readonly<Record<string, ErrorCode>>

/** The same for an incident: a step has begun on record, and it has not ended there yet. */
const INCIDENT_STEPS = {
  'incident-contain': 'SEAL_MAPPING_UNAVAILABLE',
  'incident-assess': 'SEAL_MAPPING_UNAVAILABLE',
  'incident-check': 'SEAL_KMS_UNAVAILABLE',
  'incident-rewrap': 'SEAL_KMS_UNAVAILABLE',
  'incident-reencrypt': 'SEAL_STORE_UNAVAILABLE',
  'incident-prove': 'SEAL_STORE_UNAVAILABLE',
  'incident-retire': 'SEAL_MAPPING_UNAVAILABLE',
  'incident-report': 'SEAL_MAPPING_UNAVAILABLE',
} as const satisfies Readonly<Record<string, ErrorCode>>

const STEPS = { ...ROAD_STEPS, ...REENCRYPTION_STEPS, ...SHRED_STEPS, ...INCIDENT_STEPS }

const ACTIONS = ['exit', 'stop', 'throw'] as const

/** A step that has an effect outside of the process. */
export type Step = keyof typeof STEPS

/** What happens at a failpoint. */
export type FailpointAction = (typeof ACTIONS)[number]

/** A moment between two effects. */
export type Failpoint = `${'before' | 'after'}-${Step}`

/** All of the road, in its order. */
export const FAILPOINTS: readonly Failpoint[] = failpointsOf(ROAD_STEPS)

/** All of a re-encryption, in its order. */
export const REENCRYPTION_FAILPOINTS: readonly Failpoint[] = failpointsOf(REENCRYPTION_STEPS)

/** All of a shredding, in its order. */
export const SHRED_FAILPOINTS: readonly Failpoint[] = failpointsOf(SHRED_STEPS)

/** All of an incident, in its order. */
export const INCIDENT_FAILPOINTS: readonly Failpoint[] = failpointsOf(INCIDENT_STEPS)

interface Armed {
  readonly label: Failpoint
  readonly action: FailpointAction
  /** How often this thread has yet to come by until it happens. */
  left: number
}

let armed: Armed | null = null

/**
 * Arms the failpoint that the variable names, or disarms where there is none, for the calling thread:
 * arm before anything is composed. `exit` is SIGKILL to this very process, `stop` SIGSTOP, and
 * `throw` an error as of a service that does not answer, which the road tries again. Each happens once
 * a thread. Returns what the log must say. Throws SEAL_CONFIG_INVALID with the list of labels.
 */
export function armFailpoint(env: Readonly<Record<string, string | undefined>>): string | null {
  const text = env[FAILPOINT_VARIABLE]
  armed = text === undefined ? null : parse(text)
  if (armed === null) return null
  const { label, action, left } = armed
  return `${FAILPOINT_VARIABLE} is set: a failpoint is armed, for tests alone, and this process will ${action} at ${label}, time ${left}`
}

/** Runs one step, with a failpoint before it and one after. */
export async function step<T>(name: Step, run: () => Promise<T>): Promise<T> {
  if (armed === null) return run()
  reach(`before-${name}`)
  const result = await run()
  reach(`after-${name}`)
  return result
}

/**
 * `service`, whose named methods are steps. That is the service itself when no failpoint
 * is armed.
 */
export function withFailpoints<T extends object>(
  service: T,
  steps: Readonly<Partial<Record<keyof T, Step>>>,
): T {
  if (armed === null) return service
  return new Proxy(service, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const found = steps[name as keyof T]
      if (found === undefined) return value.bind(target)
      return (...args: unknown[]) => step(found, () => value.apply(target, args))
    },
  })
}

function reach(label: Failpoint): void {
  if (armed?.label !== label || --armed.left !== 0) return
  if (armed.action === 'throw') {
    const code = STEPS[label.slice(label.indexOf('-') + 1) as Step]
    throw new SealError(code, `failpoint ${label}`, { retryable: true })
  }
  process.kill(process.pid, armed.action === 'exit' ? 'SIGKILL' : 'SIGSTOP')
  // Signals go to the whole process: this thread goes no further until it has one.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SIGNAL_MS)
}

const SIGNAL_MS = 50

function failpointsOf(steps: Readonly<Partial<Record<Step, ErrorCode>>>): Failpoint[] {
  const names = Object.keys(steps) as Step[]
  return names.flatMap((name) => [`before-${name}`, `after-${name}`] as const)
}

function parse(text: string): Armed {
  const [label, action, times = '1', ...rest] = text.split(':')
  const labels = [
    ...FAILPOINTS,
    ...REENCRYPTION_FAILPOINTS,
    ...SHRED_FAILPOINTS,
    ...INCIDENT_FAILPOINTS,
  ]
  const found = labels.find((name) => name === label)
  const known = ACTIONS.find((name) => name === action)
  const isNth = /^[1-9]\d{0,8}$/.test(times) && rest.length === 0
  if (found !== undefined && known !== undefined && isNth) {
    return { label: found, action: known, left: Number(times) }
  }
  throw new SealError(
    'SEAL_CONFIG_INVALID',
    `${FAILPOINT_VARIABLE}: no such failpoint; unset it, or take <label>:<${ACTIONS.join('|')}>[:<nth time>] with one of these labels: ${labels.join(', ')}`,
  )
}
