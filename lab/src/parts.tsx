/** Small parts that several tabs use. */

import { Clipboard } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { copyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { IProblem } from './schema';

/** The line that does the same in a cell. */
export function Line({ text, trans }: { text: string; trans: TranslationBundle }) {
  return (
    <div className="jp-jstackmagic-line">
      <code tabIndex={0}>{text}</code>
      <button
        className="jp-ToolbarButtonComponent"
        title={trans.__('Copy the line')}
        aria-label={trans.__('Copy the line')}
        onClick={() => Clipboard.copyToSystem(text)}
      >
        <copyIcon.react tag="span" />
      </button>
    </div>
  );
}

/** An error in its three parts. */
export function Problem({ problem }: { problem: IProblem }) {
  return (
    <div className="jp-jstackmagic-problem" role="alert">
      <p>{problem.problem}</p>
      {problem.kept && <p>{problem.kept}</p>}
      {problem.advice.map((line, at) => (
        <p key={at}>→ {line}</p>
      ))}
    </div>
  );
}

/** A row of two lines, each with a left and a right end. */
export function Two(props: { children: [React.ReactNode, React.ReactNode, React.ReactNode, React.ReactNode] }) {
  const [name, right, below, end] = props.children;
  return (
    <>
      <div>
        <strong>{name}</strong>
        <span>{right}</span>
      </div>
      <div className="jp-jstackmagic-small">
        <span>{below}</span>
        <span>{end}</span>
      </div>
    </>
  );
}

/** A number of bytes for people. */
export function sizeText(size: number | null): string {
  if (size === null) {
    return '';
  }
  return size >= 1 << 20 ? `${(size / (1 << 20)).toFixed(1)} MiB` : `${Math.max(1, Math.round(size / 1024))} KiB`;
}
