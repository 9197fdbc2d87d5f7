//! One function: its parts, and the guard that goes to the front of its body.

use crate::{error, ours, Result};
use proc_macro::{Delimiter, Group, Literal, Span, TokenStream, TokenTree};

/// Macros hand on what they matched (`$vis`, `$body`) in groups without delimiters.
pub(crate) fn unwrapped(tokens: TokenStream) -> Vec<TokenTree> {
    let mut all = Vec::new();

    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => all.extend(unwrapped(group.stream())),
            token => all.push(token),
        }
    }
    all
}

pub(crate) fn is_punct(token: Option<&TokenTree>, c: char) -> bool {
    matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == c)
}

pub(crate) fn is_group(token: Option<&TokenTree>, delimiter: Delimiter) -> bool {
    matches!(token, Some(TokenTree::Group(g)) if g.delimiter() == delimiter)
}

pub(crate) fn word(token: Option<&TokenTree>) -> String {
    match token {
        Some(TokenTree::Ident(ident)) => ident.to_string(),
        _ => String::new(),
    }
}

/// The position behind the `>` that closes the `<` at AT; the arrow of `Fn() -> T` closes nothing.
pub(crate) fn after_angles(tokens: &[TokenTree], mut at: usize) -> usize {
    let mut depth = 0;

    while at < tokens.len() {
        let arrow = at > 0 && (is_punct(tokens.get(at - 1), '-') || is_punct(tokens.get(at - 1), '='));

        if is_punct(tokens.get(at), '<') {
            depth += 1;
        } else if is_punct(tokens.get(at), '>') && !arrow {
            depth -= 1;
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The position behind attributes that begin at AT.
pub(crate) fn after_attributes(tokens: &[TokenTree], mut at: usize) -> usize {
    while is_punct(tokens.get(at), '#') && is_group(tokens.get(at + 1), Delimiter::Bracket) {
        at += 2;
    }
    at
}

/// The position behind `pub`, `pub(crate)` and their kind.
pub(crate) fn after_visibility(tokens: &[TokenTree], mut at: usize) -> usize {
    if word(tokens.get(at)) == "pub" {
        at += 1;
        if is_group(tokens.get(at), Delimiter::Parenthesis) {
            at += 1;
        }
    }
    at
}

pub(crate) struct Function {
    tokens: Vec<TokenTree>, /* without the body */
    pub name: String,
    pub name_span: Span,
    pub is_const: bool,
    pub is_async: bool,
    parameters: TokenStream,
    returns: Vec<TokenTree>, /* empty: the unit */
    body: Group,
}

impl Function {
    /// `Ok(None)`: a function, but without a body.
    pub fn parse(tokens: Vec<TokenTree>) -> Result<Option<Function>> {
        let start = tokens.first().map_or_else(Span::call_site, TokenTree::span);
        let mut at = after_visibility(&tokens, after_attributes(&tokens, 0));
        let (mut is_const, mut is_async) = (false, false);

        loop {
            match word(tokens.get(at)).as_str() {
                "const" => is_const = true,
                "async" => is_async = true,
                "unsafe" | "default" | "safe" | "extern" => {}
                "fn" => break,
                _ if matches!(tokens.get(at), Some(TokenTree::Literal(_))) => {}
                _ => {
                    let span = tokens.get(at).map_or(start, TokenTree::span);
                    return error(
                        span,
                        "`#[profile]` stands before a function; for an `impl` or a `mod` there is `#[profile_all]`",
                    );
                }
            }
            at += 1;
        }
        let (name, name_span) = match tokens.get(at + 1) {
            Some(TokenTree::Ident(ident)) => (ident.to_string(), ident.span()),
            _ => return error(start, "this function has no name"),
        };
        at += 2;
        if is_punct(tokens.get(at), '<') {
            at = after_angles(&tokens, at);
        }
        let parameters = match tokens.get(at) {
            Some(TokenTree::Group(group)) => group.stream(),
            _ => return error(name_span, "this function has no parameters"),
        };
        at += 1;
        let mut returns = Vec::new();
        if is_punct(tokens.get(at), '-') && is_punct(tokens.get(at + 1), '>') {
            at += 2;
            while at + 1 < tokens.len() && word(tokens.get(at)) != "where" {
                returns.push(tokens[at].clone());
                at += 1;
            }
        }
        let mut tokens = tokens;
        let body = match tokens.pop() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => group,
            _ => return Ok(None),
        };
        let name = name.strip_prefix("r#").unwrap_or(&name).to_string();
        Ok(Some(Function { tokens, name, name_span, is_const, is_async, parameters, returns, body }))
    }

    /// The function again, its body measured: as NAME, a string, or as itself. Its own path is only known to the compiler,
    /// which tells it when it is asked for the name of a function inside of it.
    pub fn measured(self, name: Option<Literal>) -> TokenStream {
        let (inner, rest) = split_inner_attributes(self.body.stream());
        let own_name = name.is_none();
        let mut body = inner;
        let mut open = ours("__RUSTSCOPE_SITE");

        body.extend(ours("#[allow(dead_code)]"));
        body.extend(ours("static __RUSTSCOPE_SITE: ::rustscope::__private::Site ="));
        body.extend(site(name.unwrap_or_else(|| Literal::string(&self.name)), if own_name { OWN_NAME } else { 0 }));
        body.extend(ours(";"));
        if own_name {
            body.extend(ours("#[allow(dead_code)] fn __rustscope_here() {}"));
            open.extend(ours(".inside(&__rustscope_here)"));
        } else {
            open = ours("&").into_iter().chain(open).collect();
        }
        if self.is_async {
            let mut future = anchor_type(&self.returns);
            let mut arguments = open;

            future.extend(rest);
            arguments.extend(ours(", async move"));
            arguments.extend([TokenTree::from(braces(future, self.body.span()))]);
            body.extend(ours("::rustscope::__private::Profiled::at"));
            body.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, arguments))]);
            body.extend(ours(".await"));
        } else {
            body.extend(ours("let mut scope = ::rustscope::__private::Scope::new(); let _open = scope.enter"));
            body.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, open))]);
            body.extend(ours(";"));
            body.extend(rest);
        }
        let mut all: TokenStream = self.tokens.into_iter().collect();
        all.extend([TokenTree::from(braces(body, self.body.span()))]);
        all
    }
}

fn braces(stream: TokenStream, span: Span) -> Group {
    let mut group = Group::new(Delimiter::Brace, stream);

    group.set_span(span);
    group
}

/// `#![allow(…)]` is only allowed at the very front of a body.
fn split_inner_attributes(body: TokenStream) -> (TokenStream, TokenStream) {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    let mut at = 0;

    while is_punct(tokens.get(at), '#')
        && is_punct(tokens.get(at + 1), '!')
        && is_group(tokens.get(at + 2), Delimiter::Bracket)
    {
        at += 3;
    }
    let rest = tokens[at..].iter().cloned().collect();
    (tokens.into_iter().take(at).collect(), rest)
}

/// An async block infers its type where an async function coerces to the declared one: one `return` of that type, never
/// reached, makes up for it. `impl Trait` cannot be written in a `let`; there inference does what it does for functions.
fn anchor_type(returns: &[TokenTree]) -> TokenStream {
    fn mentions_impl(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Group(group) => mentions_impl(group.stream()),
            token => word(Some(&token)) == "impl",
        })
    }
    let never = returns.len() == 1 && is_punct(returns.first(), '!');
    let mut anchor = TokenStream::new();

    if never || returns.is_empty() || mentions_impl(returns.iter().cloned().collect()) {
        return anchor;
    }
    let mut inside = ours("let never:");
    inside.extend(returns.iter().cloned());
    inside.extend(ours("= ::rustscope::__private::never();"));
    inside.extend(ours("return never;"));
    anchor.extend(ours("#[allow(unreachable_code, clippy::needless_return)] if false"));
    anchor.extend([TokenTree::from(braces(inside, Span::mixed_site()))]);
    anchor
}

fn site(name: Literal, flags: u32) -> TokenStream {
    let mut text = TokenStream::from(TokenTree::from(name));
    let mut arguments = TokenStream::new();
    let mut call = ours("::rustscope::__private::Site::new");

    text.extend(ours(", \"\\0\""));
    arguments.extend(ours("::core::concat!"));
    arguments.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, text))]);
    arguments.extend(ours(", ::core::concat!(::core::file!(), \"\\0\"), ::core::line!(),"));
    arguments.extend([TokenTree::from(Literal::u32_suffixed(flags))]);
    call.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, arguments))]);
    call
}

/// RUSTSCOPE_SITE_FUNCTION: the name is the function's own, so reports join it with stack samples of that function.
const OWN_NAME: u32 = 1;

pub(crate) enum Arguments {
    Nothing,
    Skip,
    Name(Literal),
}

pub(crate) fn arguments(attr: TokenStream) -> Result<Arguments> {
    let tokens = unwrapped(attr);
    let span = tokens.first().map_or_else(Span::call_site, TokenTree::span);

    match tokens.as_slice() {
        [] => Ok(Arguments::Nothing),
        [TokenTree::Ident(ident)] if ident.to_string() == "skip" => Ok(Arguments::Skip),
        [TokenTree::Ident(ident), TokenTree::Punct(equals), TokenTree::Literal(text), ..]
            if ident.to_string() == "name" && equals.as_char() == '=' =>
        {
            if !text.to_string().starts_with(['"', 'r']) {
                return error(text.span(), "the name is a string: `name = \"…\"`");
            }
            match tokens.get(3) {
                None => Ok(Arguments::Name(text.clone())),
                Some(comma) if is_punct(Some(comma), ',') && tokens.len() == 4 => Ok(Arguments::Name(text.clone())),
                Some(more) => error(more.span(), "nothing follows the name"),
            }
        }
        _ => error(span, "known here: `name = \"…\"` and `skip`"),
    }
}

pub(crate) fn profile(attr: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let arguments = arguments(attr)?;

    if let Arguments::Skip = arguments {
        return Ok(item);
    }
    let function = match Function::parse(unwrapped_outside(item.clone()))? {
        Some(function) => function,
        None => {
            let span = item.into_iter().last().map_or_else(Span::call_site, |token| token.span());
            return error(span, "this function has no body to measure");
        }
    };
    if function.is_const {
        return error(function.name_span, "a `const fn` cannot be measured: the clock cannot be read at compile time");
    }
    Ok(match arguments {
        Arguments::Name(text) => function.measured(Some(text)),
        _ => function.measured(None),
    })
}

/// Groups without delimiters, opened where the item's parts are looked for, and left alone in between: in types and
/// parameters they keep precedences together.
fn unwrapped_outside(item: TokenStream) -> Vec<TokenTree> {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();

    if let [TokenTree::Group(group)] = tokens.as_slice() {
        if group.delimiter() == Delimiter::None {
            return unwrapped_outside(group.stream());
        }
    }
    let head = tokens.iter().position(|token| word(Some(token)) == "fn").unwrap_or(0);
    let tail = tokens.split_off(head);
    let mut all = unwrapped(tokens.into_iter().collect());
    let count = tail.len();

    for (i, token) in tail.into_iter().enumerate() {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None && (i < 2 || i + 1 == count) => {
                all.extend(unwrapped(group.stream()))
            }
            token => all.push(token),
        }
    }
    all
}

/// `name = "…"` and settings, each at most once.
struct Benchmark {
    name: Option<Literal>,
    settings: TokenStream, /* fields of the crate's Settings */
}

const SETTINGS: [&str; 6] = ["n", "range", "threads", "time_ms", "samples", "batch"];

fn benchmark_arguments(attr: TokenStream) -> Result<Benchmark> {
    let tokens = unwrapped(attr);
    let mut found = Benchmark { name: None, settings: TokenStream::new() };
    let mut seen = Vec::new();

    for argument in tokens.split(|token| is_punct(Some(token), ',')).filter(|argument| !argument.is_empty()) {
        let key = word(argument.first());
        let span = argument[0].span();

        if argument.len() < 3 || !is_punct(argument.get(1), '=') {
            return error(span, format!("known here: `name = \"…\"`, {}", known_settings()));
        }
        if seen.contains(&key) {
            return error(span, format!("`{}` is there twice", key));
        }
        match (key.as_str(), &argument[2]) {
            ("name", TokenTree::Literal(text)) if argument.len() == 3 && text.to_string().starts_with(['"', 'r']) => {
                found.name = Some(text.clone());
            }
            ("name", value) => return error(value.span(), "the name is a string: `name = \"…\"`"),
            (setting, _) if SETTINGS.contains(&setting) => {
                let list = ["n", "threads"].contains(&setting);

                if list && !is_group(argument.get(2), Delimiter::Bracket) {
                    return error(argument[2].span(), format!("`{}` is a list: `{} = [1, 2, 4]`", setting, setting));
                }
                found.settings.extend(argument[..1].iter().cloned());
                found.settings.extend(ours(if list { ": &" } else { ":" }));
                found.settings.extend(argument[2..].iter().cloned());
                found.settings.extend(ours(","));
            }
            _ => return error(span, format!("known here: `name = \"…\"`, {}", known_settings())),
        }
        seen.push(key);
    }
    Ok(found)
}

fn known_settings() -> &'static str {
    "`n = […]`, `range = (low, high, factor)`, `threads = […]`, `time_ms`, `samples`, `batch`"
}

pub(crate) fn benchmark(attr: TokenStream, item: TokenStream, enabled: bool) -> Result<TokenStream> {
    let arguments = benchmark_arguments(attr)?;
    let function = match Function::parse(unwrapped_outside(item.clone()))? {
        Some(function) => function,
        None => return error(Span::call_site(), "this function has no body to measure"),
    };

    if function.is_async {
        return error(function.name_span, "a benchmark is no `async fn`: run the executor inside of it");
    }
    let mut all = item;
    if !enabled {
        return Ok([ours("#[allow(dead_code)]"), all].into_iter().collect());
    }
    let name = arguments.name.unwrap_or_else(|| Literal::string(&function.name));
    let name = TokenStream::from(TokenTree::from(name));
    let takes_bencher = !function.parameters.is_empty();
    let mut text = name;
    let mut call = TokenStream::new();
    let mut fn_name = proc_macro::Ident::new("x", function.name_span);

    text.extend(ours(", \"\\0\""));
    if let Some(TokenTree::Ident(ident)) = function.tokens.iter().skip_while(|t| word(Some(t)) != "fn").nth(1) {
        fn_name = ident.clone();
    }
    call.extend([TokenTree::from(fn_name)]);
    let mut inside = ours("fn run(bencher: &mut ::rustscope::Bencher)");
    let body = if takes_bencher {
        call.extend(ours("(bencher)"));
        call
    } else {
        let mut iter = ours("bencher.iter");
        iter.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, call))]);
        iter
    };
    inside.extend([TokenTree::from(braces(body, Span::mixed_site()))]);
    let mut entry = ours("::core::concat!");
    entry.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, text))]);
    let mut settings = arguments.settings;
    settings.extend(ours("..::rustscope::__private::Settings::NONE"));
    entry.extend(ours(
        ", ::core::concat!(::core::file!(), \"\\0\"), ::core::line!(), &RUN, ::rustscope::__private::Settings",
    ));
    entry.extend([TokenTree::from(braces(settings, Span::mixed_site()))]);
    inside.extend(ours("static RUN: ::rustscope::__private::Run = ::rustscope::__private::Run(run);"));
    inside.extend(ours("static ENTRY: ::rustscope::__private::BenchEntry = ::rustscope::__private::BenchEntry::new"));
    inside.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, entry))]);
    inside.extend(ours(
        "; extern \"C\" fn register() { ENTRY.register() }
        #[used]
        #[cfg_attr(not(any(target_os = \"macos\", target_os = \"ios\")), link_section = \".init_array\")]
        #[cfg_attr(any(target_os = \"macos\", target_os = \"ios\"), link_section = \"__DATA,__mod_init_func\")]
        static AT_START: extern \"C\" fn() = register;",
    ));
    all.extend(ours("const _: () ="));
    all.extend([TokenTree::from(braces(inside, Span::mixed_site()))]);
    all.extend(ours(";"));
    Ok(all)
}
