import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type {
  InstanceKeys,
  KeyAnswer,
  KeyDesk,
  KeyOffice,
  KeyRequest,
} from '../../src/keys/key-desk.ts'
import type { KeyInUse, RetiredKey } from '../../src/keys/running-keys.ts'

const AT_MS = Date.UTC(2026, 2, 4, 23, 59, 59, 500)

/** One desk from both sides. */
export interface KeyDeskParts {
  readonly desk: KeyDesk
  readonly office: KeyOffice
  /** Resolves when what was announced before has run out. */
  readonly runOut: () => Promise<void>
}

/** A DEK in use. */
export function keyInUse(changes: Partial<KeyInUse> = {}): KeyInUse {
  return {
    ...{ dekId: randomUUID(), keyDomain: 'orders', kekId: 'kek', kekVersion: '3' },
    ...{ since: AT_MS, messages: 7, bytes: 700 },
    ...changes,
  }
}

/** An instance that nobody else is. */
export function announced(changes: Partial<InstanceKeys> = {}): InstanceKeys {
  return {
    ...{ instanceId: `host-1/4711/${randomUUID().slice(0, 8)}`, groupId: 'sealstream' },
    ...{ state: 'running', startedAtMs: AT_MS, seenAtMs: AT_MS + 5, keys: [keyInUse()] },
    ...changes,
  }
}

/** A request for everything. */
export function keyRequest(changes: Partial<KeyRequest> = {}): KeyRequest {
  return {
    ...{ requestId: randomUUID(), askedAtMs: AT_MS, actor: 'alice@ops-7', reason: 'laptop lost' },
    scope: { dekId: null, keyDomain: null },
    ...changes,
  }
}

/** What every desk keeps to. `parts` is called inside the tests. */
export function keyDeskContract(parts: () => KeyDeskParts): void {
  instancesContract(parts)
  requestsContract(parts)
}

function instancesContract(parts: () => KeyDeskParts): void {
  const find = async (instanceId: string) =>
    (await parts().office.keysInUse()).find((one) => one.instanceId === instanceId)

  test('an instance is found with its keys, and with what it said last', async () => {
    const { desk, office } = parts()
    const instance = announced({ keys: [keyInUse(), keyInUse({ kekVersion: null })] })
    await desk.announce(instance)
    expect(await find(instance.instanceId)).toEqual(instance)
    const { keys: _, ...bare } = instance
    expect(await office.instances()).toContainEqual({ ...bare, isSilent: false })
    const later = { ...instance, state: 'stopped', seenAtMs: AT_MS + 9, keys: [] } as const
    await desk.announce(later)
    expect(await find(instance.instanceId)).toEqual(later)
  })

  test('thousands of keys come back whole, and fewer leave nothing behind', async () => {
    const { desk, office } = parts()
    const keys = Array.from({ length: 2_001 }, (_, messages) => keyInUse({ messages }))
    const instance = announced({ keys })
    await desk.announce(instance)
    expect(await find(instance.instanceId)).toEqual(instance)
    const fewer = { ...instance, keys: keys.slice(0, 501) }
    await desk.announce(fewer)
    expect(await find(instance.instanceId)).toEqual(fewer)
    const found = (await office.instances()).filter((one) => one.instanceId === fewer.instanceId)
    expect(found).toHaveLength(1)
  })

  test('an instance that says nothing more is silent, remembered, and may come back', async () => {
    const { desk, office, runOut } = parts()
    const instance = announced()
    await desk.announce(instance)
    await runOut()
    expect(await find(instance.instanceId)).toBeUndefined()
    const { keys: _, ...bare } = instance
    expect(await office.instances()).toContainEqual({ ...bare, isSilent: true })
    await desk.announce(instance)
    expect(await find(instance.instanceId)).toEqual(instance)
  })
}

function requestsContract(parts: () => KeyDeskParts): void {
  test('requests of two operators stand side by side, each with its scope', async () => {
    const { desk, office } = parts()
    const requests = [
      keyRequest(),
      keyRequest({ actor: 'bob@ops-8', scope: { dekId: null, keyDomain: 'orders' } }),
      keyRequest({ scope: { dekId: randomUUID(), keyDomain: 'orders' } }),
    ]
    await Promise.all(requests.map((request) => office.place(request)))
    const ids = await desk.requestIds()
    for (const request of requests) {
      expect(ids).toContain(request.requestId)
      expect(await desk.findRequest(request.requestId)).toEqual(request)
    }
    expect(await desk.findRequest(randomUUID())).toBeNull()
  })

  test('each instance has one answer, its last', async () => {
    const { desk, office } = parts()
    const requestId = randomUUID()
    const retired = Array.from({ length: 501 }, (_, i): RetiredKey => {
      const lastUsedAtMs = i === 0 ? null : AT_MS
      const uses = { firstUsedAtMs: lastUsedAtMs, lastUsedAtMs, messages: i, bytes: i * 100 }
      return { dekId: randomUUID(), keyDomain: 'orders', ...uses }
    })
    const open = { requestId, acceptedAtMs: AT_MS, finishedAtMs: null, retired: [], refusal: null }
    const [a, b]: KeyAnswer[] = [
      { ...open, instanceId: 'a/1/00000000' },
      { ...open, instanceId: 'b/2/00000000' },
    ] as const
    await desk.answer(a as KeyAnswer)
    await desk.answer(b as KeyAnswer)
    const answers = async () =>
      (await office.answers(requestId)).toSorted((x, y) => (x.instanceId < y.instanceId ? -1 : 1))
    expect(await answers()).toEqual([a, b])
    const refused = { ...(a as KeyAnswer), refusal: 'the KEK does not wrap here' }
    await desk.answer(refused)
    expect(await answers()).toEqual([refused, b])
    const done = { ...(a as KeyAnswer), finishedAtMs: AT_MS + 40, retired }
    await desk.answer(done)
    expect(await answers()).toEqual([done, b])
    expect(await office.answers(randomUUID())).toEqual([])
  })
}
