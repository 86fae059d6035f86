import { randomUUID } from 'node:crypto'
import { openKms } from '../../src/compose/kms.ts'
import { kmsContextOf } from '../../src/keys/kms-context.ts'
import type { BenchStack } from '../bench-stack.ts'
import { type ServiceCost, serviceCost } from './service-cost.ts'

const CALLS = 100
const AT_ONCE = 4

/** What a call to the KMS costs: making a data key, and unwrapping one. */
export interface KmsCosts {
  readonly generate: ServiceCost
  readonly unwrap: ServiceCost
}

/** Calls the KMS of the stack, four at a time. */
export async function kmsCalls(stack: BenchStack, repeats: number): Promise<KmsCosts> {
  const { keyId, ...access } = stack.kms
  const choice = { provider: 'aws', ...access, requestTimeoutMs: 10_000 } as const
  const kms = openKms(choice, { triesMax: 1 })
  const context = kmsContextOf(randomUUID(), 'bench')
  const measure = (call: () => Promise<unknown>) =>
    serviceCost(stack, ['kms'], repeats, async () => {
      for (let i = 0; i < CALLS; i += AT_ONCE) {
        await Promise.all(Array.from({ length: AT_ONCE }, call))
      }
      return CALLS
    })
  try {
    const { wrapped } = await kms.generateDataKey(keyId, context)
    const generate = await measure(() => kms.generateDataKey(keyId, context))
    const unwrap = await measure(() => kms.unwrap(keyId, wrapped, context))
    return { generate, unwrap }
  } finally {
    await kms.close()
  }
}
