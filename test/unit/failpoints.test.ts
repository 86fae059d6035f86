import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { isSealError } from '../../src/errors.ts'
import { armFailpoint, FAILPOINTS, step, withFailpoints } from '../../src/failpoints.ts'

const arm = (text: string) => armFailpoint({ SEALSTREAM_FAILPOINT: text })

afterEach(() => {
  armFailpoint({})
})

function refusalOf(text: string): string {
  try {
    arm(text)
  } catch (error) {
    if (isSealError(error, 'SEAL_CONFIG_INVALID')) return error.message
  }
  return ''
}

describe('the variable of a failpoint', () => {
  it('is not needed', () => {
    expect(armFailpoint({})).toBeNull()
  })

  it('warns of what will happen', () => {
    expect(arm('before-commit:exit:3')).toBe(
      'SEALSTREAM_FAILPOINT is set: a failpoint is armed, for tests alone, and this process will exit at before-commit, time 3',
    )
  })

  it.each([
    'before-comit:exit',
    'commit:exit',
    'before-commit',
    'before-commit:abort',
    'before-commit:exit:0',
    'before-commit:exit:-1',
    'before-commit:exit:1:2',
    'before-commit:exit:',
    '',
  ])('is refused as %j, with every label there is', (text) => {
    const refusal = refusalOf(text)
    for (const label of FAILPOINTS) expect(refusal).toContain(label)
  })
})

describe('a failpoint that throws', () => {
  it('does so before its step, once', async () => {
    arm('before-commit:throw')
    const done: string[] = []
    const commit = () => step('commit', async () => void done.push('commit'))
    await expect(commit()).rejects.toMatchObject({
      ...{ code: 'SEAL_KAFKA_UNAVAILABLE', retryable: true, message: 'failpoint before-commit' },
    })
    expect(done).toEqual([])
    await commit()
    await commit()
    expect(done).toEqual(['commit', 'commit'])
  })

  it('does so after its step, the nth time', async () => {
    arm('after-rows:throw:2')
    const done: string[] = []
    const rows = () => step('rows', async () => void done.push('rows'))
    await rows()
    await expect(rows()).rejects.toMatchObject({ code: 'SEAL_MAPPING_UNAVAILABLE' })
    expect(done).toEqual(['rows', 'rows'])
  })

  it('leaves other steps alone', async () => {
    arm('after-rows:throw')
    expect(await step('commit', async () => 7)).toBe(7)
  })
})

describe('a service with failpoints', () => {
  class Counter {
    #count = 0
    async add(by: number): Promise<number> {
      this.#count += by
      return this.#count
    }
    peek(): number {
      return this.#count
    }
  }

  it('is the service itself when nothing is armed', () => {
    const counter = new Counter()
    expect(withFailpoints(counter, { add: 'rows' })).toBe(counter)
  })

  it('meets them at the methods that are named', async () => {
    arm('after-rows:throw:2')
    const counter = withFailpoints(new Counter(), { add: 'rows' })
    expect(await counter.add(2)).toBe(2)
    await expect(counter.add(3)).rejects.toMatchObject({ message: 'failpoint after-rows' })
    expect(counter.peek()).toBe(5)
  })
})

describe('a failpoint that ends the process', () => {
  const module = new URL('../../src/failpoints.ts', import.meta.url).href
  const program = (action: string) => `
    import { Worker, isMainThread } from 'node:worker_threads'
    import { armFailpoint, step } from '${module}'
    armFailpoint({ SEALSTREAM_FAILPOINT: 'before-rows:${action}' })
    await step('rows', async () => process.stdout.write('went on'))`

  it('goes no further in a worker thread either', async () => {
    const inThread = `
      import { Worker } from 'node:worker_threads'
      new Worker(${JSON.stringify(program('exit'))}, { eval: true })
      setInterval(() => {}, 1_000)`
    for (const code of [program('exit'), inThread]) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', code])
      let said = ''
      child.stdout.on('data', (bytes) => {
        said += bytes
      })
      const [exitCode, signal] = await once(child, 'exit')
      expect([exitCode, signal, said]).toEqual([null, 'SIGKILL', ''])
    }
  })
})
