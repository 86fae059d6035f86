import type { ImpactPage } from '../incident/impact.ts'
import type { InstanceReport } from '../keys/rotation.ts'
import type { PatienceObserver } from '../pipeline/patience.ts'
import type { Incident } from './incident.ts'
import type { IncidentDetails, IncidentStep } from './incident-log.ts'

/** What came of a try at a step. */
export interface StepEnding {
  /**
   * done; stopped: asked to end before its end; unanswered: instances did not confirm; left: some
   * things are as they were; unproven: something still depends on the old key.
   */
  readonly kind: 'done' | 'stopped' | 'unanswered' | 'left' | 'unproven'
  /** One sentence for people; of those that are not done. */
  readonly reason?: string
  readonly details: IncidentDetails
}

/** Hears how far a step has come. Calls are cheap and never throw. */
export interface StepListener {
  /** `total` is null where it is not known before the end. */
  began(what: string, total: number | null): void
  advanced(count: number): void
  /** An instance has come to another standing. */
  instance(report: InstanceReport): void
  /** Something that whoever watches should read. */
  said(text: string): void
}

/** Tells whoever watches when the waiting for a service begins, and when it is over. */
export function sayingWaits({ said }: Pick<StepListener, 'said'>): PatienceObserver {
  return {
    waiting: (_service, error, attempt) => {
      if (attempt === 1) said(`waiting: ${error.message}`)
    },
    recovered: (service) => said(`${service} answers again`),
  }
}

/** How much the steps may take. */
export interface StepPace {
  /** Calls to the KMS a second, of the rewrap and of the re-encryption. */
  readonly kmsCallsPerSecond: number
  /** What is re-encrypted a second, at most; Infinity for no limit. */
  readonly bytesPerSecond: number
  readonly segmentsAtOnce: number
  /** Threads that re-encrypt; 0 is one a core. */
  readonly threads: number
  /** How long instances have to confirm containment. */
  readonly answerWithinMs: number
}

/** How a step is done, and who follows it. */
export interface StepControl {
  /** Ends it at the next safe point. */
  readonly signal: AbortSignal
  readonly listener: StepListener
  readonly pace: StepPace
  /** Silent instances that have ended, as the operator knows. */
  readonly dead: ReadonlySet<string>
  /** Takes the list of what the old key protected; null where nobody wants it. */
  readonly takePage: ((page: ImpactPage) => Promise<void>) | null
  /** Whether the old key is to be switched off in the KMS as well, where that can be done here. */
  readonly isKmsTold: boolean
}

/** A step that has an effect or looks at something; every one may be repeated. */
export type WorkStep = Exclude<IncidentStep, 'report'>

/** What does the steps. Each opens what it needs and closes it. */
export type StepWork = Readonly<
  Record<WorkStep, (incident: Incident, control: StepControl) => Promise<StepEnding>>
>

/** Names of things that are kept in an event; all of them are counted. */
export const NAMES_MAX = 20
