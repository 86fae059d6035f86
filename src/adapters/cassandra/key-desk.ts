import type { types } from 'cassandra-driver'
import {
  ANNOUNCED_MS,
  type Instance,
  type InstanceKeys,
  type KeyAnswer,
  type KeyDesk,
  type KeyOffice,
  type KeyRequest,
  REQUEST_MS,
  type SeenInstance,
} from '../../keys/key-desk.ts'
import type { KeyInUse, RetiredKey } from '../../keys/running-keys.ts'
import { Chunks, chunksOf } from './chunks.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'

/** Everything that a fleet says stands in one partition, so that one read finds all of it. */
const SHARD = 0

const REMEMBERED_SECONDS = REQUEST_MS / 1000

const INSERT_KEYS =
  'INSERT INTO key_instances (shard, instance_id, chunk, in_use) VALUES (?, ?, ?, ?) USING TTL ?'
const INSERT_INSTANCE =
  'INSERT INTO key_instances (shard, instance_id, chunk, chunks, group_id, state, started_at, seen_at, in_use) VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?) USING TTL ?'
const SELECT_INSTANCES =
  'SELECT instance_id, chunks, group_id, state, started_at, seen_at, TTL(state) AS seconds_left FROM key_instances WHERE shard = ?'
const SELECT_KEYS =
  'SELECT instance_id, chunk, chunks, group_id, state, started_at, seen_at, in_use, TTL(state) AS seconds_left FROM key_instances WHERE shard = ?'
const INSERT_REQUEST =
  'INSERT INTO key_requests (shard, request_id, asked_at, actor, reason, dek_id, key_domain) VALUES (?, ?, ?, ?, ?, ?, ?) USING TTL ?'
const SELECT_REQUEST_IDS = 'SELECT request_id FROM key_requests WHERE shard = ?'
const SELECT_REQUEST =
  'SELECT asked_at, actor, reason, dek_id, key_domain FROM key_requests WHERE shard = ? AND request_id = ?'
const INSERT_RETIRED =
  'INSERT INTO key_answers (request_id, instance_id, chunk, retired) VALUES (?, ?, ?, ?) USING TTL ?'
const INSERT_ANSWER =
  'INSERT INTO key_answers (request_id, instance_id, chunk, chunks, accepted_at, finished_at, refusal, retired) VALUES (?, ?, 0, ?, ?, ?, ?, ?) USING TTL ?'
const SELECT_ANSWERS =
  'SELECT instance_id, chunk, chunks, accepted_at, finished_at, refusal, retired FROM key_answers WHERE request_id = ?'

/** {@link KeyDesk} and {@link KeyOffice} over Cassandra, whose clock alone decides what has run out. */
export class CassandraKeyDesk implements KeyDesk, KeyOffice {
  readonly #connection: CassandraConnection
  readonly #announcedSeconds: number

  /** The connection stays the caller's to close. `announcedMs` counts in whole seconds, rounded up. */
  constructor(connection: CassandraConnection, announcedMs = ANNOUNCED_MS) {
    this.#connection = connection
    this.#announcedSeconds = Math.ceil(announcedMs / 1000)
  }

  /** The first chunk goes last: whoever reads it finds all the others. */
  async announce(instance: InstanceKeys): Promise<void> {
    const { instanceId, groupId, state, startedAtMs, seenAtMs } = instance
    const ttl = REMEMBERED_SECONDS
    const [first, ...others] = chunksOf(instance.keys)
    for (const [i, keys] of others.entries()) {
      await this.#connection.execute(INSERT_KEYS, [SHARD, instanceId, i + 1, keys, ttl])
    }
    const times = [new Date(startedAtMs), new Date(seenAtMs)]
    const about = [others.length + 1, groupId, state, ...times, first]
    await this.#connection.execute(INSERT_INSTANCE, [SHARD, instanceId, ...about, ttl])
  }

  async requestIds(): Promise<readonly string[]> {
    const ids: string[] = []
    for await (const row of this.#connection.rows(SELECT_REQUEST_IDS, [SHARD])) {
      ids.push(String(row.request_id))
    }
    return ids
  }

  async findRequest(requestId: string): Promise<KeyRequest | null> {
    const params = [SHARD, uuidBytes(requestId)]
    const row = (await this.#connection.execute(SELECT_REQUEST, params)).first()
    if (row === null) return null
    return {
      requestId,
      askedAtMs: timeOf(row.asked_at),
      actor: row.actor,
      reason: row.reason,
      scope: {
        dekId: row.dek_id === null ? null : String(row.dek_id),
        keyDomain: row.key_domain,
      },
    }
  }

  async answer(answer: KeyAnswer): Promise<void> {
    const { instanceId, acceptedAtMs, finishedAtMs, refusal } = answer
    const requestId = uuidBytes(answer.requestId)
    const ttl = REQUEST_MS / 1000
    const [first, ...others] = chunksOf(answer.retired)
    for (const [i, retired] of others.entries()) {
      await this.#connection.execute(INSERT_RETIRED, [requestId, instanceId, i + 1, retired, ttl])
    }
    const finishedAt = finishedAtMs === null ? null : new Date(finishedAtMs)
    const times = [new Date(acceptedAtMs), finishedAt]
    const about = [others.length + 1, ...times, refusal, first]
    await this.#connection.execute(INSERT_ANSWER, [requestId, instanceId, ...about, ttl])
  }

  async place({ requestId, askedAtMs, actor, reason, scope }: KeyRequest): Promise<void> {
    const { dekId, keyDomain } = scope
    const about = [new Date(askedAtMs), actor, reason, dekId && uuidBytes(dekId), keyDomain]
    const params = [SHARD, uuidBytes(requestId), ...about, REQUEST_MS / 1000]
    await this.#connection.execute(INSERT_REQUEST, params)
  }

  async instances(): Promise<readonly SeenInstance[]> {
    const found: SeenInstance[] = []
    for await (const row of this.#connection.rows(SELECT_INSTANCES, [SHARD])) {
      if (row.chunks === null) continue
      found.push({ ...instanceOf(row), isSilent: this.#isSilent(row) })
    }
    return found
  }

  async keysInUse(): Promise<readonly InstanceKeys[]> {
    const chunks = new Chunks<SeenInstance, KeyInUse>()
    for await (const row of this.#connection.rows(SELECT_KEYS, [SHARD])) {
      chunks.add(row, row.in_use, () => ({ ...instanceOf(row), isSilent: this.#isSilent(row) }))
    }
    const speaking = chunks.whole().filter(({ head }) => !head.isSilent)
    return speaking.map(({ head: { isSilent: _, ...instance }, items }) => ({
      ...instance,
      keys: items,
    }))
  }

  /** What is left of the time that a row lives tells how old it is, by Cassandra's clock alone. */
  #isSilent(row: types.Row): boolean {
    return REMEMBERED_SECONDS - row.seconds_left >= this.#announcedSeconds
  }

  async answers(requestId: string): Promise<readonly KeyAnswer[]> {
    const chunks = new Chunks<Omit<KeyAnswer, 'retired'>, RetiredKey>()
    for await (const row of this.#connection.rows(SELECT_ANSWERS, [uuidBytes(requestId)])) {
      chunks.add(row, row.retired, () => ({
        requestId,
        instanceId: row.instance_id,
        acceptedAtMs: timeOf(row.accepted_at),
        finishedAtMs: row.finished_at === null ? null : timeOf(row.finished_at),
        refusal: row.refusal,
      }))
    }
    return chunks.whole().map(({ head, items }) => ({ ...head, retired: items }))
  }
}

function instanceOf(row: types.Row): Instance {
  return {
    instanceId: row.instance_id,
    groupId: row.group_id,
    state: row.state,
    startedAtMs: timeOf(row.started_at),
    seenAtMs: timeOf(row.seen_at),
  }
}

const timeOf = (time: Date): number => time.getTime()
