//! A small closed-loop load client for forward proxies, because the usual ones cannot CONNECT. Loopback only.
//!
//! Modes: direct, abs, connect-ka, connect-setup, bulk, idle, and dns (a name server that answers 127.0.0.1).
use hdrhistogram::Histogram;
use std::{cell::RefCell, collections::HashMap, net::SocketAddr, rc::Rc, time::{Duration, Instant}};
use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::TcpStream};

struct Stats { h: Histogram<u64>, ok: u64, err: u64, bytes: u64, reconn: u64 }

fn find_end(b: &[u8]) -> Option<usize> { b.windows(4).position(|w| w == b"\r\n\r\n").map(|p| p + 4) }

/// Reads one response; returns (status, body bytes, connection-close?).
async fn read_resp(s: &mut TcpStream, buf: &mut Vec<u8>, connect: bool) -> std::io::Result<(u16, u64, bool)> {
    use std::io::{Error, ErrorKind};
    buf.clear();
    let end = loop {
        if let Some(e) = find_end(buf) { break e; }
        if buf.len() > 65536 { return Err(Error::new(ErrorKind::InvalidData, "header too large")); }
        let n = s.read_buf(buf).await?;
        if n == 0 { return Err(Error::new(ErrorKind::UnexpectedEof, "eof in header")); }
    };
    let head = String::from_utf8_lossy(&buf[..end]).to_ascii_lowercase();
    let status: u16 = head.split(' ').nth(1).and_then(|x| x.parse().ok()).unwrap_or(0);
    let mut close = head.starts_with("http/1.0");
    let mut length: Option<u64> = None;
    for l in head.lines().skip(1) {
        if let Some(v) = l.strip_prefix("content-length:") { length = v.trim().parse().ok(); }
        if let Some(v) = l.strip_prefix("connection:") { if v.contains("close") { close = true } else if v.contains("keep-alive") { close = false } }
    }
    if connect && status == 200 { return Ok((status, 0, false)); }
    let mut got = (buf.len() - end) as u64;
    match length {
        Some(n) => { while got < n { buf.clear(); let k = s.read_buf(buf).await?; if k == 0 { return Err(Error::new(ErrorKind::UnexpectedEof, "eof in body")); } got += k as u64; } }
        None => { close = true; loop { buf.clear(); let k = s.read_buf(buf).await?; if k == 0 { break; } got += k as u64; } }
    }
    Ok((status, got, close))
}

async fn open(addr: SocketAddr) -> std::io::Result<TcpStream> { let s = TcpStream::connect(addr).await?; s.set_nodelay(true)?; Ok(s) }

async fn open_tunnel(proxy: SocketAddr, target: &str, buf: &mut Vec<u8>) -> std::io::Result<TcpStream> {
    let mut s = open(proxy).await?;
    s.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await?;
    let (st, _, _) = read_resp(&mut s, buf, true).await?;
    if st != 200 { return Err(std::io::Error::new(std::io::ErrorKind::Other, format!("CONNECT status {st}"))); }
    Ok(s)
}

async fn dns(listen: SocketAddr, ip: [u8; 4], secs: u64) {
    let u = tokio::net::UdpSocket::bind(listen).await.unwrap();
    let end = Instant::now() + Duration::from_secs(secs);
    let mut b = [0u8; 1500]; let mut n_q = 0u64;
    while Instant::now() < end {
        let Ok(Ok((n, from))) = tokio::time::timeout(Duration::from_millis(500), u.recv_from(&mut b)).await else { continue };
        if n < 17 { continue; }
        let mut p = 12; while p < n && b[p] != 0 { p += b[p] as usize + 1; }
        let qend = p + 5; if qend > n { continue; }
        let qtype = u16::from_be_bytes([b[p + 1], b[p + 2]]);
        let mut r = b[..qend].to_vec();
        r[2] = 0x84 | (b[2] & 1); r[3] = 0x80; let an = if qtype == 1 { 1u8 } else { 0 };
        r[6] = 0; r[7] = an; r[8] = 0; r[9] = 0; r[10] = 0; r[11] = 0;
        if an == 1 { r.extend_from_slice(&[0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4]); r.extend_from_slice(&ip); }
        let _ = u.send_to(&r, from).await; n_q += 1;
    }
    println!("{{\"mode\":\"dns\",\"queries\":{n_q}}}");
}

fn main() {
    let mut a: HashMap<String, String> = HashMap::new();
    let mut it = std::env::args().skip(1);
    while let Some(k) = it.next() { let v = it.next().expect("value"); a.insert(k.trim_start_matches('-').into(), v); }
    let g = |k: &str, d: &str| a.get(k).cloned().unwrap_or_else(|| d.to_string());
    let mode = g("mode", "direct"); let target = g("target", "127.0.0.1:8080"); let path = g("path", "/1k");
    let proxy: SocketAddr = g("proxy", &target).parse().expect("proxy ip:port");
    let noka = g("noka", "0") == "1"; let conns: usize = g("conns", "32").parse().unwrap(); let secs: f64 = g("secs", "5").parse().unwrap(); let warm: f64 = g("warm", "1").parse().unwrap();
    assert!(proxy.ip().is_loopback(), "loopback only");
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&rt, async move {
        if mode == "dns" { dns(g("listen", "127.0.0.1:53").parse().unwrap(), [127, 0, 0, 1], secs as u64).await; return; }
        if mode == "idle" {
            let mut v = Vec::new(); let mut b = Vec::with_capacity(8192); let t = Instant::now(); let mut err = 0;
            for _ in 0..conns { match open_tunnel(proxy, &target, &mut b).await { Ok(s) => v.push(s), Err(_) => err += 1 } }
            println!("{{\"mode\":\"idle\",\"open\":{},\"err\":{err},\"secs\":{:.2}}}", v.len(), t.elapsed().as_secs_f64());
            tokio::time::sleep(Duration::from_secs_f64(secs)).await; return;
        }
        let st = Rc::new(RefCell::new(Stats { h: Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap(), ok: 0, err: 0, bytes: 0, reconn: 0 }));
        let t0 = Instant::now(); let wend = t0 + Duration::from_secs_f64(warm); let end = wend + Duration::from_secs_f64(secs);
        let mut hs = Vec::new();
        for _ in 0..conns {
            let (st, mode, target, path) = (st.clone(), mode.clone(), target.clone(), path.clone());
            hs.push(tokio::task::spawn_local(async move {
                let req = match mode.as_str() {
                    "abs" => format!("GET http://{target}{path} HTTP/1.1\r\nHost: {target}\r\n{}\r\n", if noka { "Connection: close\r\n" } else { "" }),
                    "connect-setup" => format!("GET {path} HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n"),
                    _ => format!("GET {path} HTTP/1.1\r\nHost: {target}\r\n{}\r\n", if noka { "Connection: close\r\n" } else { "" }) };
                let mut buf = Vec::with_capacity(256 * 1024); let mut s: Option<TcpStream> = None; let mut errs = 0u32;
                while Instant::now() < end && errs < 2000 {
                    let t = Instant::now();
                    let r: std::io::Result<(u16, u64, bool)> = async {
                        if s.is_none() {
                            let ns = match mode.as_str() { "connect-ka" | "connect-setup" | "bulk" => open_tunnel(proxy, &target, &mut buf).await?, _ => open(proxy).await? };
                            if Instant::now() >= wend { st.borrow_mut().reconn += 1; }
                            s = Some(ns);
                        }
                        let c = s.as_mut().unwrap();
                        c.write_all(req.as_bytes()).await?;
                        read_resp(c, &mut buf, false).await
                    }.await;
                    let now = Instant::now();
                    match r {
                        Ok((200, n, close)) => { if now >= wend && t >= wend { let mut x = st.borrow_mut(); x.ok += 1; x.bytes += n; let _ = x.h.record((now - t).as_nanos() as u64); } if close || noka || mode == "connect-setup" { s = None; } }
                        Ok(_) | Err(_) => { errs += 1; if now >= wend { st.borrow_mut().err += 1; } s = None; if errs < 1 { if let Err(e) = r { eprintln!("err {e}"); } else if let Ok(x) = r { eprintln!("status {}", x.0); } } tokio::time::sleep(Duration::from_millis(1)).await; }
                    }
                }
            }));
        }
        for h in hs { let _ = h.await; }
        let x = st.borrow(); let el = (Instant::now() - wend).as_secs_f64();
        println!("{{\"mode\":\"{mode}\",\"conns\":{conns},\"secs\":{el:.2},\"ok\":{},\"err\":{},\"reconn\":{},\"rps\":{:.0},\"mbps\":{:.1},\"p50_us\":{:.1},\"p99_us\":{:.1},\"p999_us\":{:.1},\"max_us\":{:.1}}}",
            x.ok, x.err, x.reconn, x.ok as f64 / el, x.bytes as f64 / el / 1e6, x.h.value_at_quantile(0.5) as f64 / 1e3, x.h.value_at_quantile(0.99) as f64 / 1e3, x.h.value_at_quantile(0.999) as f64 / 1e3, x.h.max() as f64 / 1e3);
    });
}
