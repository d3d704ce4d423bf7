// Virtual scrolling: only the rows in sight and a few around them are rendered. All rows have the
// same height.

import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
} from '@tanstack/virtual-core';
import { useLayoutEffect, useReducer, useState } from 'preact/hooks';
import { useMedia } from './hooks.js';

export interface VirtualRows {
  /** The rows to render, by index. */
  readonly indexes: readonly { readonly index: number; readonly startPx: number }[];
  /** The height of all rows together. */
  readonly heightPx: number;
  /** Scrolls a row into sight. */
  readonly reveal: (index: number) => void;
  /** How many rows fit in sight. */
  readonly pageSize: number;
}

interface Options {
  readonly count: number;
  readonly rowHeightPx: number;
  /** The element that scrolls; undefined until it is rendered. */
  readonly scroller: HTMLElement | undefined;
  /** The distance from the start of the scroller's content to the first row. */
  readonly marginPx: number;
  /** The height of the sticky header, which covers the top of the scroller. */
  readonly coveredPx: number;
}

/** Rows rendered beyond each end of those in sight. */
const OVERSCAN = 8;

/** Paper has no virtual scrolling: all rows are rendered, up to this number. */
const MAX_PRINTED = 2_000;

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
  const isPrinting = useMedia('print');
  return {
    indexes: isPrinting
      ? Array.from({ length: Math.min(count, MAX_PRINTED) }, (_, index) => ({ index, startPx: 0 }))
      : virtualizer
          .getVirtualItems()
          .map(({ index, start }) => ({ index, startPx: start - marginPx })),
    heightPx: virtualizer.getTotalSize(),
    reveal: (index) => virtualizer.scrollToIndex(index, { align: 'auto' }),
    pageSize: Math.max(1, Math.floor((scroller?.clientHeight ?? 0) / rowHeightPx) - 1),
  };
}
