import { declare } from '../../src/response/declare.ts'
import type { Declaration } from '../../src/response/incident.ts'
import { INCIDENT_STEPS, type IncidentEvent } from '../../src/response/incident-log.ts'
import {
  type IncidentRunOptions,
  type IncidentRunServices,
  runIncident,
} from '../../src/response/run-incident.ts'
import type { StepControl, StepEnding, StepWork, WorkStep } from '../../src/response/step-work.ts'
import { ManualClock } from './manual-clock.ts'
import { MemoryIncidentLease, MemoryIncidentLog } from './memory-incident-log.ts'

/** Who dozes is woken by its signal at once; nothing else wakes it. */
export class DozingClock extends ManualClock {
  override doze(_delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) resolve()
      else signal?.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}

/** A control of steps that nobody follows. */
export function stepControl(changes: Partial<StepControl> = {}): StepControl {
  return {
    signal: new AbortController().signal,
    listener: { began: () => {}, advanced: () => {}, instance: () => {}, said: () => {} },
    pace: {
      ...{ kmsCallsPerSecond: 1_000, bytesPerSecond: Number.POSITIVE_INFINITY },
      ...{ segmentsAtOnce: 2, threads: 1, answerWithinMs: 60_000 },
    },
    ...{ dead: new Set(), takePage: null, isKmsTold: false },
    ...changes,
  }
}

/** What was declared. */
export function declaration(changes: Partial<Declaration> = {}): Declaration {
  return {
    ...{ incidentId: '2026-01-02-aaaaaa', kind: 'incident', kekId: 'kek-old', kekVersion: null },
    ...{ newKekId: 'kek-new', keyDomain: null, reason: 'leaked', by: 'alice' },
    ...{ actor: 'alice@ops-7', declaredAtMs: 0, orderId: '5ea15eed-0000-4000-8000-00000000000f' },
    ...changes,
  }
}

/** Incidents in memory, whose steps only count how often they are done. */
export class IncidentPlace {
  readonly clock = new DozingClock()
  readonly log = new MemoryIncidentLog()
  readonly lease = new MemoryIncidentLease(this.clock)
  /** Steps in the order in which they had their effect. */
  readonly effects: WorkStep[] = []
  /** What a step ends with instead of being done, one each. */
  readonly endings: Partial<Record<WorkStep, (StepEnding | Error)[]>> = {}
  /** Called where a step has its effect. */
  onEffect: (step: WorkStep, control: StepControl) => void | Promise<void> = () => {}
  readonly said: string[] = []
  services: IncidentRunServices
  #runs = 0

  constructor() {
    const steps = INCIDENT_STEPS.filter((step): step is WorkStep => step !== 'report')
    const work = Object.fromEntries(
      steps.map((step) => [step, (_: unknown, control: StepControl) => this.#do(step, control)]),
    ) as unknown as StepWork
    const { log, lease, clock } = this
    this.services = { log, lease, clock, work, hooks: [], approvers: new Map() }
  }

  async declare(changes: Partial<Declaration> = {}): Promise<string> {
    const mapping = {
      async *deksOfKek(kekId: string) {
        yield { dekId: 'd', keyDomain: 'orders', kekId, kekVersion: null, createdAtMs: 0 }
      },
    }
    const { log, clock } = this
    return (await declare({ log, clock, mapping }, declaration(changes))).incidentId
  }

  run(incidentId: string, changes: Partial<IncidentRunOptions> = {}) {
    const options: IncidentRunOptions = {
      ...{ actor: 'alice@ops-7', runId: `run/${++this.#runs}`, takeOver: null },
      control: stepControl({
        listener: { ...stepControl().listener, said: (text) => void this.said.push(text) },
      }),
      ...{ onStep: () => {}, ...changes },
    }
    return runIncident(this.services, incidentId, options)
  }

  async kinds(incidentId: string): Promise<string[]> {
    return (await this.log.events(incidentId)).map(nameOf)
  }

  async #do(step: WorkStep, control: StepControl): Promise<StepEnding> {
    await this.onEffect(step, control)
    const ending = this.endings[step]?.shift()
    if (ending instanceof Error) throw ending
    this.effects.push(step)
    return ending ?? { kind: 'done', details: { did: step } }
  }
}

function nameOf({ kind, step }: IncidentEvent): string {
  return step === null ? kind : `${kind} ${step}`
}
