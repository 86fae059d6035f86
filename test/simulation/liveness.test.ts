import { test } from 'vitest'
import { expectPromisesKept } from './seeds.ts'

test('the road over a simulated world keeps its promises, liveness', () =>
  expectPromisesKept('liveness'))
