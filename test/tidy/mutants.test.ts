import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Mutant, mutated } from '../mutations/mutant.ts'
import { mutants } from '../mutations/mutants.ts'
import { verdictOn } from '../mutations/trial.ts'

const mutant: Mutant = {
  ...{ name: 'a guard', file: 'a.ts', text: 'if (bad) throw', replacement: '' },
  tests: { project: 'unit', files: ['a.test.ts'] },
}

describe('the mutants', () => {
  it.each(mutants)(
    '$name: its guard stands where it says, once, and its tests are there',
    (one) => {
      mutated(one, readFileSync(one.file, 'utf8'))
      expect(one.tests.files.filter((file) => !existsSync(file))).toEqual([])
    },
  )

  it('have names of their own', () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  })
})

describe('a mutant', () => {
  it('fails loudly when its text is gone, or stands there twice', () => {
    expect(mutated(mutant, 'a; if (bad) throw; b')).toBe('a; ; b')
    expect(() => mutated(mutant, 'a; b')).toThrow('stands 0 times in a.ts')
    expect(() => mutated(mutant, 'if (bad) throw if (bad) throw')).toThrow('stands 2 times')
  })

  it('is found by a test that fails by what it asserts, and by nothing else', () => {
    const failing = (reason: string) => ({
      passed: 1,
      broken: null,
      failed: [{ test: 't', reason }],
    })
    expect(verdictOn(failing('AssertionError: expected 1 to be 2'))).toMatchObject({ killed: true })
    expect(verdictOn(failing('TypeError: x is not a function'))).toMatchObject({ killed: false })
    expect(verdictOn(failing('Error: Test timed out in 30000ms.'))).toMatchObject({ killed: false })
    expect(verdictOn({ passed: 9, failed: [], broken: null })).toMatchObject({ killed: false })
    const broken = { passed: 0, failed: [], broken: 'SyntaxError' }
    expect(verdictOn(broken)).toMatchObject({ killed: false })
  })
})
