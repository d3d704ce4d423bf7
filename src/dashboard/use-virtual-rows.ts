// Which rows are drawn of ever so many: those in sight and a few around. All rows are equally high.

import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
} from '@tanstack/virtual-core';
import { useLayoutEffect, useReducer, useState } from 'preact/hooks';

export interface VirtualRows {
  /** What the rows drawn are, by index. */
  readonly indexes: readonly { readonly index: number; readonly startPx: number }[];
  /** How high all rows are together. */
  readonly heightPx: number;
  /** Brings a row into sight. */
  readonly reveal: (index: number) => void;
  /** How many rows are in sight. */
  readonly pageSize: number;
}

interface Options {
  readonly count: number;
  readonly rowHeightPx: number;
  /** What scrolls; undefined before it is there. */
  readonly scroller: HTMLElement | undefined;
  /** How far below the start of what scrolls the rows begin. */
  readonly marginPx: number;
  /** How much of the top is covered by what sticks there. */
  readonly coveredPx: number;
}

const OVERSCAN = 8;

export function useVirtualRows(options: Options): VirtualRows {
  const { count, rowHeightPx, scroller, marginPx, coveredPx } = options;
  const [, redraw] = useReducer((drawn: number) => drawn + 1, 0);
  const settings = {
    count,
    getScrollElement: () => scroller ?? null,
    estimateSize: () => rowHeightPx,
    scrollMargin: marginPx,
    scrollPaddingStart: coveredPx,
    overscan: OVERSCAN,
    scrollToFn: elementScroll<HTMLElement>,
    observeElementRect: observeElementRect<HTMLElement>,
    observeElementOffset: observeElementOffset<HTMLElement>,
    onChange: () => redraw(undefined),
  };
  const [virtualizer] = useState(() => new Virtualizer<HTMLElement, HTMLElement>(settings));
  virtualizer.setOptions(settings);
  useLayoutEffect(() => virtualizer._didMount(), []);
  useLayoutEffect(() => virtualizer._willUpdate());
  useLayoutEffect(() => virtualizer.measure(), [rowHeightPx, marginPx]);
  return {
    indexes: virtualizer
      .getVirtualItems()
      .map(({ index, start }) => ({ index, startPx: start - marginPx })),
    heightPx: virtualizer.getTotalSize(),
    reveal: (index) => virtualizer.scrollToIndex(index, { align: 'auto' }),
    pageSize: Math.max(1, Math.floor((scroller?.clientHeight ?? 0) / rowHeightPx) - 1),
  };
}
