/** The test clock keeps time as told, and in order. */
import { describe, expect, test } from 'vitest'
import { createTestClock } from '../../src/testing/index.ts'

describe('a test clock', () => {
  test('stands still until it is moved', async () => {
    const clock = createTestClock('2031-05-04T03:02:01.000Z')
    expect(new Date(clock.now()).toISOString()).toBe('2031-05-04T03:02:01.000Z')
    await clock.advance(1500)
    expect(new Date(clock.now()).toISOString()).toBe('2031-05-04T03:02:02.500Z')
  })

  test('fires what is due in the order of time, each at its own moment, and nothing else', async () => {
    const clock = createTestClock(0)
    const fired: string[] = []
    const note = (name: string) => () => fired.push(`${name} at ${clock.now()}`)
    clock.setTimeout(note('late'), 31)
    clock.setTimeout(note('second'), 20)
    clock.setTimeout(note('first'), 10)
    clock.setTimeout(note('third, same moment as second'), 20)
    clock.clearTimeout(clock.setTimeout(note('cancelled'), 15))
    await clock.advance(30)
    expect(fired).toEqual(['first at 10', 'second at 20', 'third, same moment as second at 20'])
    expect(clock.pending()).toEqual([31])
  })

  test('fires a timer that a fired timer sets, when it falls due in the same stretch', async () => {
    const clock = createTestClock(0)
    const fired: number[] = []
    const tick = (): void => {
      fired.push(clock.now())
      clock.setTimeout(tick, 10)
    }
    clock.setTimeout(tick, 10)
    await clock.advance(35)
    expect(fired).toEqual([10, 20, 30])
    expect(clock.now()).toBe(35)
  })

  test('refuses to go backwards or to begin at no time', async () => {
    await expect(createTestClock().advance(-1)).rejects.toThrow(/forwards/)
    expect(() => createTestClock('yesterday')).toThrow(/no time/)
  })
})
