/** Small parts that several tabs use. */

import { Clipboard } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect, LabIcon, copyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { IPackage, IProblem } from './schema';

/** The line that does the same in a cell. */
export function Line({ text, trans }: { text: string; trans: TranslationBundle }) {
  return (
    <div className="jp-jstackmagic-line">
      <code>
        {text.split('\n').map((line, at) => (
          <div key={at}>
            {line.split(/(?<= )/).map((word, at) => (
              <span key={at}>{word}</span>
            ))}
          </div>
        ))}
      </code>
      <IconButton
        icon={copyIcon}
        label={trans.__('Copy the line')}
        onClick={() => Clipboard.copyToSystem(text)}
      />
    </div>
  );
}

/** A button as those of JupyterLab's toolbars. */
export function IconButton(props: { icon: LabIcon; label: string; onClick: () => void }) {
  const { icon, label, onClick } = props;
  return (
    <button className="jp-jstackmagic-icon" title={label} aria-label={label} onClick={onClick} type="button">
      <icon.react tag="span" />
    </button>
  );
}

/** The time of a record, in the reader's way of writing it. */
export function timeText(time: string): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'short' });
}

/** A table with a caption and a heading for each column; the rows are its children. */
export function Table(props: { caption: string; columns: string[]; children: React.ReactNode }) {
  return (
    <table>
      <caption>{props.caption}</caption>
      <thead>
        <tr>
          {props.columns.map(each => (
            <th key={each} scope="col">
              {each}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{props.children}</tbody>
    </table>
  );
}

/** A label with its input, or with the list of what can be chosen. */
export function Field(props: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  placeholder?: string;
  /** The choices: a list to choose from instead of a text. */
  options?: { value: string; label?: string }[];
  /** Completions of the text. */
  offered?: string[];
}) {
  const { label, options, offered, onChange, ...rest } = props;
  const id = React.useId();
  const common = {
    ...rest,
    id,
    onChange: (event: { target: { value: string } }) => onChange(event.target.value)
  };
  return (
    <>
      <label htmlFor={id}>{label}</label>
      {options ? (
        <HTMLSelect {...common} options={options} />
      ) : (
        <input {...common} className="jp-mod-styled" autoComplete="off" spellCheck={false} list={`${id}list`} />
      )}
      {offered && (
        <datalist id={`${id}list`}>
          {offered.map(each => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </>
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

/** A package's name, after the sign of what becomes or became of it. */
export function Signed(props: { before: IPackage | null; now: IPackage | null; trans: TranslationBundle }) {
  const { before, now, trans } = props;
  const [sign, said] = !before
    ? ['+', trans.__('added')]
    : !now
      ? ['−', trans.__('removed')]
      : ['~', trans.__('changed')];
  return (
    <>
      <span role="img" aria-label={said} data-sign={sign}>
        {sign}
      </span>{' '}
      {(now ?? before)!.name}
    </>
  );
}

/** The version, or both where it changes. */
export function versionOf(before: IPackage | null, now: IPackage | null): string {
  return [before?.version, now?.version].filter(Boolean).join(' → ');
}

/** A number of bytes for people. */
export function sizeText(size: number | null): string {
  if (size === null) {
    return '';
  }
  return size >= 1 << 20 ? `${(size / (1 << 20)).toFixed(1)} MiB` : `${Math.max(1, Math.round(size / 1024))} KiB`;
}
