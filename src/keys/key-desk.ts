import type { KeyInUse, KeyScope, RetiredKey } from './running-keys.ts'

/** An encryptor process, from its start to its end. */
export interface Instance {
  /** Unique over processes and restarts, e.g. `host-1/4711/3f9a2c1b`. */
  readonly instanceId: string
  /** The consumer group it works in. */
  readonly groupId: string
  /** `stopped` is its last word: its DEKs are gone, and it starts no more segments. */
  readonly state: 'running' | 'stopped'
  readonly startedAtMs: number
  /** When it spoke last, by its own clock; for people. */
  readonly seenAtMs: number
}

/** An instance as the desk knows it. */
export interface SeenInstance extends Instance {
  /** It has said nothing for {@link ANNOUNCED_MS}, by the desk's own clock. */
  readonly isSilent: boolean
}

/** An instance and the DEKs of its windows that are open now. */
export interface InstanceKeys extends Instance {
  readonly keys: readonly KeyInUse[]
}

/** What an operator asks of every instance: to retire the DEKs in scope. */
export interface KeyRequest {
  /** UUID in its text form. */
  readonly requestId: string
  /** By the operator's clock; for people, nothing is decided by it. */
  readonly askedAtMs: number
  readonly actor: string
  readonly reason: string
  readonly scope: KeyScope
}

/** What one instance did about a request. */
export interface KeyAnswer {
  /** That of the request, or of the KEK order. */
  readonly requestId: string
  readonly instanceId: string
  readonly acceptedAtMs: number
  /** null while segments under the ended DEKs are still open. */
  readonly finishedAtMs: number | null
  /** The DEKs that it held and wiped; empty until it has finished. */
  readonly retired: readonly RetiredKey[]
  /** Why it does not do what was asked for now, in words; null when it does. */
  readonly refusal: string | null
}

/**
 * Where a running instance tells of itself and hears what operators ask. Every call may be repeated.
 * Errors: SEAL_MAPPING_*.
 */
export interface KeyDesk {
  /**
   * Replaces what the instance said before. It counts as silent {@link ANNOUNCED_MS} after the last
   * call, and is remembered for {@link REQUEST_MS}: one that is only cut off may still hold its DEKs.
   */
  announce(instance: InstanceKeys): Promise<void>
  /** Ids of the requests of the last day, in no order. */
  requestIds(): Promise<readonly string[]>
  /** null when it has run out. */
  findRequest(requestId: string): Promise<KeyRequest | null>
  /** Replaces what the instance answered before. */
  answer(answer: KeyAnswer): Promise<void>
}

/** The operator's side of the {@link KeyDesk}. Whoever places a request and then asks for instances
 * sees every one that did not see the request at its start. Errors: SEAL_MAPPING_*. */
export interface KeyOffice {
  /** Durable when it resolves: instances act on it whatever becomes of the caller. */
  place(request: KeyRequest): Promise<void>
  /** Instances that spoke within the last {@link REQUEST_MS}, the silent ones among them. */
  instances(): Promise<readonly SeenInstance[]>
  /** Those that are not silent, with their keys. */
  keysInUse(): Promise<readonly InstanceKeys[]>
  answers(requestId: string): Promise<readonly KeyAnswer[]>
}

/** How long an instance counts as running after it spoke last. */
export const ANNOUNCED_MS = 15_000

/** How long a request stands: no DEK that was made before it lives longer than a day. */
export const REQUEST_MS = 24 * 60 * 60 * 1000
