import { isSealError, messageOf } from '../errors.ts'
import { type Declaration, type Incident, kekNameOf } from './incident.ts'
import type { IncidentJournal } from './incident-journal.ts'
import { INCIDENT_STEPS, type IncidentEvent } from './incident-log.ts'

/** What is worth telling others, each step by its name once it is done. */
export const NOTICES = [
  'declared',
  ...INCIDENT_STEPS,
  'failed',
  'approval-wanted',
  'approved',
  'withdrawn',
] as const

/** One of {@link NOTICES}. */
export type Notice = (typeof NOTICES)[number]

/** Somebody who is told. */
export interface NoticeHook {
  /** For the log of the incident: says which one it is, and nothing that opens it. */
  readonly name: string
  readonly notices: ReadonlySet<Notice>
  /** Whether it hears of drills as well. */
  readonly isForDrills: boolean
  /** Rejects with SEAL_NOTICE_FAILED when it could not be told, after some tries. */
  send(body: NoticeBody): Promise<void>
}

/** What is told: ids, names and counts; no key bytes, no plaintext. */
export interface NoticeBody {
  readonly v: 1
  readonly notice: Notice
  readonly kind: Declaration['kind']
  readonly incidentId: string
  /** Of the event: whoever is told twice knows it by this. */
  readonly sequence: number
  readonly at: string
  readonly actor: string
  readonly kek: string
  readonly reason: string
  /** What the event says. */
  readonly details: IncidentEvent['details']
}

/** What an event is called to others; null when it is none of their business. */
export function noticeOf({ kind, step }: Pick<IncidentEvent, 'kind' | 'step'>): Notice | null {
  if (kind === 'step-done') return step
  if (kind === 'step-failed') return 'failed'
  return NOTICES.find((notice) => notice === kind) ?? null
}

/**
 * Tells others of an incident beside the work on it, which never waits for them and never fails by
 * them. What was told, and what could not be, is appended to the journal; what neither stands for is
 * told by the next process that comes. So a notice may come twice, and is lost only with its log.
 */
export class Notifier {
  readonly #journal: IncidentJournal
  readonly #hooks: readonly NoticeHook[]
  readonly #onFailed: (text: string) => void
  readonly #taken = new Set<string>()
  readonly #underWay = new Set<Promise<void>>()

  constructor(
    journal: IncidentJournal,
    hooks: readonly NoticeHook[],
    onFailed: (text: string) => void,
  ) {
    this.#journal = journal
    this.#hooks = hooks
    this.#onFailed = onFailed
  }

  /** Begins to tell whatever was not told yet. */
  catchUp(): void {
    const { incident } = this.#journal
    const settled = settledOf(incident)
    for (const event of incident.events) {
      const notice = noticeOf(event)
      if (notice === null) continue
      for (const hook of this.#hooks) {
        const name = nameOf(event.sequence, hook.name)
        if (settled.has(name) || this.#taken.has(name) || !isMeant(hook, notice, incident)) continue
        this.#taken.add(name)
        const work = this.#tell(hook, notice, event, incident.declaration)
        this.#underWay.add(work)
        void work.finally(() => this.#underWay.delete(work))
      }
    }
  }

  /** Resolves when nothing is under way any more. */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  /** Never rejects: the store of the journal is the business of whoever works on the incident. */
  async #tell(
    hook: NoticeHook,
    notice: Notice,
    event: IncidentEvent,
    declaration: Declaration,
  ): Promise<void> {
    const about = { of: event.sequence, hook: hook.name, notice }
    try {
      await hook.send(bodyOf(notice, event, declaration))
      await this.#journal.append({ kind: 'notified', details: about })
    } catch (error) {
      const reason = messageOf(error)
      if (!isSealError(error, 'SEAL_NOTICE_FAILED')) return this.#onFailed(reason)
      this.#onFailed(`${hook.name} was not told of "${notice}": ${reason}`)
      const failed = { kind: 'notice-failed', details: { ...about, reason } } as const
      await this.#journal.append(failed).catch(() => {})
    }
  }
}

function settledOf({ events }: Incident): ReadonlySet<string> {
  const ends = events.filter(({ kind }) => kind === 'notified' || kind === 'notice-failed')
  return new Set(ends.map(({ details }) => nameOf(Number(details.of), String(details.hook))))
}

function nameOf(sequence: number, hook: string): string {
  return `${sequence} ${hook}`
}

function isMeant(
  { notices, isForDrills }: NoticeHook,
  notice: Notice,
  { declaration }: Incident,
): boolean {
  return notices.has(notice) && (declaration.kind === 'incident' || isForDrills)
}

function bodyOf(
  notice: Notice,
  { sequence, atMs, actor, details }: IncidentEvent,
  declaration: Declaration,
): NoticeBody {
  const { kind, incidentId, reason } = declaration
  const at = new Date(atMs).toISOString()
  const about = { notice, kind, incidentId, sequence, at, actor, reason }
  return { v: 1, ...about, kek: kekNameOf(declaration), details }
}
